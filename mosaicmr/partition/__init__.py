"""Tumour labels and a grayscale-adapted Voronoi tessellation of the healthy brain."""
