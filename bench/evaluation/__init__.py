"""How a trained model is asked, and the metrics of its answers.

Here: batches, logits, generation, choices; scores as functions of references and predictions. Not here: when a cell is
evaluated, and which state counts (`bench.running.scores`). Read `classification` first.
"""
