"""Watching a run: how far each training is, what it writes for TensorBoard, and why jobs failed."""
