"""Trackers (TensorBoard, MLflow, W&B, …), told about a running cell through accelerate, and never in its way."""
