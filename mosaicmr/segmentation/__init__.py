"""The downstream segmenter: its arms, its scores, and the fidelity of masks."""
