"""Metrics of synthetic slices, their intervals over patients, and the summary of a run."""
