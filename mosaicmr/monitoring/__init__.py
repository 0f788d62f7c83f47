"""Watching a run: the progress of each training, its events for TensorBoard, and why jobs failed."""
