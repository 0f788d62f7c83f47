"""From scans on disk to normalised axial slices, split by patient."""
