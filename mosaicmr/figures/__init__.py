"""Figures and tables of a paper, from tidy tables."""
