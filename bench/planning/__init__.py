"""What a cell will need, before anything is loaded: counts on the meta device, peak memory on fake tensors."""
