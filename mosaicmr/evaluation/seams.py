"""Seams: whether grey levels step more at the borders of domains than in real slices."""

import numpy as np

# Pixels between a border pair and the pair compared with it, which lies on the same line, inside one domain.
OFFSET = 2


def border_steps(images: np.ndarray, domains: np.ndarray) -> np.ndarray:
    """Grey steps across and beside the internal borders of each slice: float64 [n, 4].

    A border pair is two neighbouring pixels (left-right or up-down) of different domains, both inside the brain.
    Beside it, on the same line and `OFFSET` pixels into the domain on either side, lies a matched pair within one
    domain. The columns are the sum of |grey difference| over border pairs, their number, the sum over matched pairs,
    and theirs; border pairs without a matched pair do not count. Modalities are averaged. `images` [n, M, H, W] in
    [0, 1], `domains` [n, H, W] with 0 for background.
    """
    horizontal = _steps_along_rows(images, domains)
    vertical = _steps_along_rows(images.swapaxes(-1, -2), domains.swapaxes(-1, -2))
    return horizontal + vertical


def _steps_along_rows(images: np.ndarray, domains: np.ndarray) -> np.ndarray:
    grey = np.asarray(images, np.float32)
    steps = np.abs(np.diff(grey, axis=-1)).mean(axis=1)  # step k lies between pixels k and k + 1
    before, after = domains[..., :-1], domains[..., 1:]
    border = (before != after) & (before > 0) & (after > 0)
    inside = (before == after) & (before > 0)
    # Matched step k - OFFSET must lie in the domain before border step k, and k + OFFSET in the domain after it.
    core = slice(OFFSET, -OFFSET)
    earlier = border[..., core] & inside[..., : -2 * OFFSET] & (after[..., : -2 * OFFSET] == before[..., core])
    later = border[..., core] & inside[..., 2 * OFFSET :] & (before[..., 2 * OFFSET :] == after[..., core])
    counted = earlier | later
    sums = [
        np.where(counted, steps[..., core], 0.0),
        counted,
        np.where(earlier, steps[..., : -2 * OFFSET], 0.0) + np.where(later, steps[..., 2 * OFFSET :], 0.0),
        earlier.astype(int) + later,
    ]
    return np.stack([part.sum(axis=(-1, -2), dtype=np.float64) for part in sums], axis=-1)


def step_ratio(steps: np.ndarray) -> float:
    """Mean step across borders over mean step beside them, pooled over slices (`steps` [n, 4]); NaN if undefined."""
    across, borders, beside, pairs = steps.sum(axis=0) if len(steps) else np.zeros(4)
    if not borders or not pairs or beside <= 0:
        return float("nan")
    return float((across / borders) / (beside / pairs))


def seam_index(steps: np.ndarray, real_steps: np.ndarray) -> float:
    """`step_ratio` of slices over that of real slices: 1 as real, above 1 seams, below 1 borders that are too soft.

    Real slices step at the borders of domains too, because domains follow grey levels and tumours have edges;
    dividing by their ratio leaves what the synthesis added. NaN where a ratio is undefined.
    """
    real = step_ratio(real_steps)
    return step_ratio(steps) / real if real > 0 else float("nan")
