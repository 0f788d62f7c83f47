"""Connected cells without slivers, by merging small pieces into their neighbours."""

import heapq

import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.measure import label


def connect_cells(cells: np.ndarray, grey: np.ndarray, min_pixels: float) -> np.ndarray:
    """Make every 4-connected piece of a cell its own cell, and merge pieces under `min_pixels` pixels.

    A small piece joins the neighbour of the nearest mean grey, the smallest piece first; an island without neighbours
    joins the cell of the nearest pixel, unless nothing else is there.
    cells: integer [H, W], 0 outside; grey: float [H, W]. Returns uint16 [H, W], zero where `cells` is, numbered from 1.
    """
    pieces = label(cells, background=0, connectivity=1)
    area = np.bincount(pieces.ravel()).astype(np.float64)
    total = np.bincount(pieces.ravel(), grey.ravel())
    owner = _merge_small(area, total, _neighbours(pieces), min_pixels)
    merged = _attach_islands(owner[pieces], min_pixels)
    # Reading order of first pixels makes the numbers independent of how the pieces were merged.
    present, first = np.unique(merged, return_index=True)
    order = present[np.argsort(first)]
    order = order[order > 0]
    numbers = np.zeros(int(present.max()) + 1, np.int64)
    numbers[order] = np.arange(1, len(order) + 1)
    return numbers[merged].astype(np.uint16)


def _neighbours(pieces: np.ndarray) -> list[set[int]]:
    """For every piece, the pieces that share an edge with it."""
    beside = np.concatenate(
        [
            np.column_stack([pieces[:, :-1].ravel(), pieces[:, 1:].ravel()]),
            np.column_stack([pieces[:-1].ravel(), pieces[1:].ravel()]),
        ]
    )
    beside = beside[(beside[:, 0] != beside[:, 1]) & (beside > 0).all(axis=1)]
    neighbours: list[set[int]] = [set() for _ in range(int(pieces.max()) + 1)]
    for one, other in np.unique(beside, axis=0).tolist():
        neighbours[one].add(other)
        neighbours[other].add(one)
    return neighbours


def _merge_small(area: np.ndarray, total: np.ndarray, neighbours: list[set[int]], min_pixels: float) -> np.ndarray:
    """The piece that every piece ends up in; `area`, `total` (sum of grey) and `neighbours` are used up."""
    owner = np.arange(len(area))
    small = [(area[piece], piece) for piece in range(1, len(area)) if area[piece] < min_pixels]
    heapq.heapify(small)
    while small:
        size, piece = heapq.heappop(small)
        outdated = owner[piece] != piece or size != area[piece]
        if outdated or not neighbours[piece]:
            continue
        mean = total[piece] / area[piece]
        target = min(neighbours[piece], key=lambda other: (abs(total[other] / area[other] - mean), other))
        owner[piece] = target
        area[target] += area[piece]
        total[target] += total[piece]
        for other in neighbours[piece]:
            neighbours[other].discard(piece)
            if other != target:
                neighbours[other].add(target)
                neighbours[target].add(other)
        if area[target] < min_pixels:
            heapq.heappush(small, (area[target], target))
    while not np.array_equal(owner, owner[owner]):
        owner = owner[owner]
    return owner


def _attach_islands(cells: np.ndarray, min_pixels: float) -> np.ndarray:
    """Give every cell that is still too small to the cell of the nearest pixel of a large cell."""
    area = np.bincount(cells.ravel())
    large = area >= min_pixels
    large[0] = False
    if not large.any():
        return cells
    island = (cells > 0) & ~large[cells]
    nearest = distance_transform_edt(~large[cells], return_distances=False, return_indices=True)
    return np.where(island, cells[tuple(nearest)], cells)
