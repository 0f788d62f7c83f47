"""An image file to a checked volume: formats, geometry, background, skull and mask."""
