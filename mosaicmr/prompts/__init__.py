"""Facts measured on a slice, in words."""
