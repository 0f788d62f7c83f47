"""Measurements of a slice, in words."""
