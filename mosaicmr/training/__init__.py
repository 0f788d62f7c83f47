"""Experts and the adapted base, and the loop and the checkpoint that all trainings of diffusion models share."""
