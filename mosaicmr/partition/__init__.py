"""A slice to its domains: tumour labels, and a grayscale-adapted Voronoi tessellation of the healthy brain."""
