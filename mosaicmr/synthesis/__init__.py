"""Layouts to slices to a data set: renderings of domains, their merge, joint denoising, and the export."""
