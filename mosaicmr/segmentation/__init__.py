"""The downstream segmenter: its arms, its scores, and what it says of masks."""
