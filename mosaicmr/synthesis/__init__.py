"""New layouts, partitions, their merge and joint denoising, and the exported data set."""
