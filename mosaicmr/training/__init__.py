"""Experts and the adapted base: fine-tuning on a cohort's slices."""
