"""Facts measured on a slice, put in words."""
