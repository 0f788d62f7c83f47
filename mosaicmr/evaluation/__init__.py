"""Fidelity, radiomics, novelty, mask fidelity and usefulness, with intervals over patients."""
