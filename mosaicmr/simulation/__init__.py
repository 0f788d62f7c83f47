"""Brains that no patient has: anatomy, contrast, tumour, phantom patients, and slices drawn at random."""
