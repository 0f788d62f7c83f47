"""Folders of every known layout to subjects under pseudonyms, by names alone."""
