"""New layouts, the renderings of their domains, merge and joint denoising, and the exported data set."""
