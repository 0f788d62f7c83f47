"""MosaicMR: synthetic brain MR slices with paired masks from domain-specific latent diffusion models."""

__version__ = "0.1.0"
