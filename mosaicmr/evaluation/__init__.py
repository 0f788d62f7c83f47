"""Fidelity, radiomics, memorisation, mask fidelity and usefulness, with intervals over patients."""
