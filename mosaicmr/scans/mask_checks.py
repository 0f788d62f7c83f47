"""Checks of a tumour mask: whole numbers, within the brain, and no larger than a tumour can be."""

from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np

from mosaicmr.scans.findings import Finding, doubtful, refusal, refused

WHOLE = 1e-3  # resampling by other tools leaves 0.99999994 for 1
LARGEST_LABEL = 2**31
# Shares of a mask outside the brain. Of 58 patients of four public cohorts, none has more than 0.3 %.
MOST_OUTSIDE, DOUBTFUL_OUTSIDE = 0.10, 0.01
# Shares of the brain inside a mask; the largest gliomas, with their oedema, take about a quarter.
LARGEST_MASK, DOUBTFUL_MASK = 0.5, 0.35


def label_values(image: nib.Nifti1Image, path: Path) -> np.ndarray:
    """The labels of a mask as int64 [X, Y, Z]; numbers that are nearly whole are rounded.

    Raises RefusedFile if a number is not finite or not whole.
    """
    labels = np.asanyarray(image.dataobj)
    if labels.dtype.kind in "iu":
        return labels.astype(np.int64)
    bad = count_not_finite(labels)
    if bad:
        raise refusal(path, f"has {bad} voxels that are not finite", "set them to 0 or write the file again")
    rounded = np.rint(labels)
    wrong = (np.abs(labels - rounded) > WHOLE) | (np.abs(labels) > LARGEST_LABEL)
    if wrong.any():
        value = np.format_float_positional(labels[wrong].flat[0], trim="-")
        remedy = "expected whole numbers; resample segmentations by nearest neighbour"
        raise refusal(path, f"has the label {value}", remedy)
    return rounded.astype(np.int64)


def check_mask(mask: np.ndarray, brain: np.ndarray, path: Path) -> Iterator[Finding]:
    """Findings about the place and the size of a tumour mask, bool [X, Y, Z].

    brain: bool [X, Y, Z], as the images alone show it.
    """
    marked, inside = int(mask.sum()), int((mask & brain).sum())
    if not marked:
        return
    outside, share = 1 - inside / marked, marked / max(1, int(brain.sum()))
    if outside > DOUBTFUL_OUTSIDE:
        refuse = outside > MOST_OUTSIDE
        reason = f"does not fit its images, {_percent(outside)} of the mask lies where all of them are background"
        remedy = "expected a tumour within the brain; take the mask of this scan, in the orientation of its images"
        yield refused(path, reason, remedy) if refuse else doubtful(path, reason, remedy)
    if share > DOUBTFUL_MASK:
        refuse = share > LARGEST_MASK
        reason = f"marks more than a tumour can be, as much as {_percent(share)} of the brain"
        remedy = f"expected up to {_percent(LARGEST_MASK)}; see that it is a tumour mask, not a mask of the brain"
        yield refused(path, reason, remedy) if refuse else doubtful(path, reason, remedy)


def count_not_finite(values: np.ndarray) -> int:
    """The number of values that are NaN or infinite."""
    return int(values.size - np.isfinite(values).sum())


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
