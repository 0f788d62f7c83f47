"""The downstream segmenter: its arms, augmentation and scores, and the fidelity of masks."""
