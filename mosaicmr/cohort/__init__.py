"""Scans on disk to checked, split, cut and normalised axial slices."""
