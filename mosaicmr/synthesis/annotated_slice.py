"""A slice with all the arrays that must move together when its anatomy changes."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class AnnotatedSlice:
    """Images, labels, brain mask and domain map of one slice; row 0 is anterior, column 0 the patient's right.

    images: float32 [M, H, W] in [0, 1], 0 outside the brain. labels: uint8 [H, W], canonical tumour classes. brain:
    uint8 [H, W]. domains: uint8 [H, W], domain ids.
    """

    images: np.ndarray
    labels: np.ndarray
    brain: np.ndarray
    domains: np.ndarray

    @property
    def healthy(self) -> np.ndarray:
        """bool [H, W]: brain without tumour."""
        return (self.brain > 0) & (self.labels == 0)


def mirror(annotated: AnnotatedSlice) -> AnnotatedSlice:
    """Exchange left and right."""
    return AnnotatedSlice(
        annotated.images[:, :, ::-1], annotated.labels[:, ::-1], annotated.brain[:, ::-1], annotated.domains[:, ::-1]
    )
