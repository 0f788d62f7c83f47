"""Give a slice the tumour of another patient: heal its own from the other hemisphere, then paste the donor's."""

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates

from mosaicmr.synthesis.annotated_slice import AnnotatedSlice

PLACES = 32  # tried for the tumour, around the donor's own
PLACE_SPREAD = 8.0  # mm, standard deviation of the places
MIN_INSIDE = 0.95  # share of the tumour that must lie in the recipient's brain; the rest is cut off
MAX_FLUID = 0.25  # share of the tumour that may lie on the recipient's cerebrospinal fluid
MAX_UNHEALED = 0.2  # share of the healed area that may lack healthy tissue opposite
FEATHER = 3.0  # mm over which pasted intensities fade into their surroundings
GAIN_RANGE = (0.5, 2.0)  # of the donor's intensities, to match the recipient's scan


def transplant_tumour(
    recipient: AnnotatedSlice,
    donor: AnnotatedSlice,
    domain_of_class: Mapping[int, int],
    fluid: int | None,
    pixel_size: float,
    generator: np.random.Generator,
) -> AnnotatedSlice | None:
    """Replace the recipient's tumour by the donor's.

    domain_of_class: domain id of each canonical tumour class. fluid: id of the domain that holds cerebrospinal fluid,
    which the tumour should avoid, or None where no domain stands for it. pixel_size: mm.
    Returns None where the tumour finds no place in the recipient's brain or its own tumour cannot be healed.
    """
    labels, images = _carry_over(recipient, donor)
    place = _find_place(labels > 0, recipient, fluid, pixel_size, generator)
    if place is None:
        return None
    labels, images = _shift(labels, place), _shift(images, place)
    labels = np.where(recipient.brain > 0, labels, 0).astype(np.uint8)
    healed = heal(recipient, (recipient.labels > 0) & (labels == 0), pixel_size)
    if healed is None:
        return None
    tumour = labels > 0
    # The outermost pixels hold some of the tissue around, as they do in any scan.
    weight = np.clip((distance_transform_edt(tumour) - 0.5) * pixel_size / FEATHER, 0, 1)
    domains = healed.domains.copy()
    for tumour_class, domain in domain_of_class.items():
        domains[labels == tumour_class] = domain
    blended = (weight * images + (1 - weight) * healed.images).astype(np.float32)
    return AnnotatedSlice(blended, labels, recipient.brain, domains)


def _carry_over(recipient: AnnotatedSlice, donor: AnnotatedSlice) -> tuple[np.ndarray, np.ndarray]:
    """The donor's labels and images at the same relative place of the recipient's brain, in the recipient's
    intensities."""
    (low, high), (donor_low, donor_high) = _extent(recipient.brain), _extent(donor.brain)
    grid = np.stack(np.meshgrid(*(np.arange(side) for side in recipient.brain.shape), indexing="ij"))
    stretch = (donor_high - donor_low) / (high - low)
    coordinates = donor_low[:, None, None] + (grid - low[:, None, None]) * stretch[:, None, None]
    labels = map_coordinates(donor.labels, coordinates, order=0)
    images = np.stack([map_coordinates(image, coordinates, order=1) for image in donor.images])
    gain = _healthy_median(recipient) / np.maximum(_healthy_median(donor), 1e-3)
    return labels, np.clip(images * np.clip(gain, *GAIN_RANGE)[:, None, None], 0, 1)


def _extent(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First row and column, and the row and column after the last, of a mask that is not empty."""
    inside = np.argwhere(mask > 0)
    return inside.min(axis=0).astype(float), inside.max(axis=0) + 1.0


def _healthy_median(annotated: AnnotatedSlice) -> np.ndarray:
    region = annotated.healthy if annotated.healthy.any() else annotated.brain > 0
    return np.median(annotated.images[:, region], axis=1)


def _find_place(
    tumour: np.ndarray, recipient: AnnotatedSlice, fluid: int | None, pixel_size: float, generator: np.random.Generator
) -> tuple[int, int] | None:
    """The shift (rows, columns) of a tumour mask that keeps it best in the brain, out of the fluid, and on its side.

    A tumour on one side of the falx stays there, and one that crosses it crosses it again. None if no shift will do.
    """
    pixels = np.argwhere(tumour)
    middle = midline(recipient.brain) / 2
    shifts = np.rint(generator.normal(0, PLACE_SPREAD / pixel_size, (PLACES, 2))).astype(int)
    best, lowest = None, np.inf
    for shift in shifts if len(pixels) else ():
        moved = pixels + shift
        crossed = abs(np.mean(moved[:, 1] < middle) - np.mean(pixels[:, 1] < middle))
        rows, columns = moved[((moved >= 0) & (moved < tumour.shape)).all(axis=1)].T
        inside = np.count_nonzero(recipient.brain[rows, columns]) / len(pixels)
        in_fluid = np.count_nonzero(recipient.domains[rows, columns] == fluid) / len(pixels) if fluid else 0.0
        cost = 1 - inside + in_fluid + crossed
        if inside >= MIN_INSIDE and in_fluid <= MAX_FLUID and cost < lowest:
            best, lowest = (int(shift[0]), int(shift[1])), cost
    return best


def _shift(values: np.ndarray, shift: tuple[int, int]) -> np.ndarray:
    """Move the last two axes by whole pixels; what comes in is 0, what goes out is lost."""
    height, width = values.shape[-2:]
    rows, columns = np.arange(height) - shift[0], np.arange(width) - shift[1]
    known = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    moved = values[..., np.clip(rows, 0, height - 1)[:, None], np.clip(columns, 0, width - 1)]
    return np.where(known, moved, 0)


def heal(annotated: AnnotatedSlice, region: np.ndarray, pixel_size: float) -> AnnotatedSlice | None:
    """Replace `region` (bool [H, W], tumour) by the healthy tissue that lies opposite in the other hemisphere.

    Intensities are shifted to agree around the region, where a field inhomogeneity would leave a step, and fade in over
    3 mm. Pixels without healthy tissue opposite take the nearest healthy pixel; None if they are more than a fifth of
    the region. Labels of the region become 0. Returns the slice unchanged where the region is empty.
    """
    if not region.any():
        return annotated
    opposite = reflect(annotated, midline(annotated.brain))
    filled = region & opposite.healthy
    if np.count_nonzero(region & ~filled) > MAX_UNHEALED * np.count_nonzero(region):
        return None
    outside = distance_transform_edt(~region) * pixel_size
    both = annotated.healthy & opposite.healthy
    ring = both & (outside <= 3 * FEATHER)
    step = (annotated.images[:, ring] - opposite.images[:, ring]).mean(axis=1) if ring.any() else 0.0
    tissue = np.clip(opposite.images + np.reshape(step, (-1, 1, 1)), 0, 1)
    weight = np.where(filled, 1.0, np.where(both, np.clip(1 - outside / FEATHER, 0, 1), 0.0))
    images = weight * tissue + (1 - weight) * annotated.images
    domains = np.where(filled, opposite.domains, annotated.domains)
    missing = region & ~filled
    source = distance_transform_edt(~(annotated.healthy | filled), return_distances=False, return_indices=True)
    images[:, missing] = images[:, source[0][missing], source[1][missing]]
    domains[missing] = domains[source[0][missing], source[1][missing]]
    labels = np.where(region, 0, annotated.labels).astype(np.uint8)
    return AnnotatedSlice(images.astype(np.float32), labels, annotated.brain, domains)


def midline(brain: np.ndarray) -> int:
    """The sum of the columns that mirror each other, chosen so that the brain overlaps its mirror image most.

    A sum, and not a column, because the midline may lie between two.
    """
    columns = np.flatnonzero(brain.any(axis=0))
    middle, reach = int(columns[0] + columns[-1]), max(len(columns) // 6, 1)
    candidates = sorted(range(middle - reach, middle + reach + 1), key=lambda total: abs(total - middle))
    mask = brain > 0
    return max(candidates, key=lambda total: np.count_nonzero(mask & _reflect(mask, total)))


def reflect(annotated: AnnotatedSlice, total: int) -> AnnotatedSlice:
    """Mirror a slice about its midline, given as the sum of two columns that mirror one another."""
    return AnnotatedSlice(
        _reflect(annotated.images, total),
        _reflect(annotated.labels, total),
        _reflect(annotated.brain, total),
        _reflect(annotated.domains, total),
    )


def _reflect(values: np.ndarray, total: int) -> np.ndarray:
    width = values.shape[-1]
    columns = total - np.arange(width)
    known = (columns >= 0) & (columns < width)
    return np.where(known, values[..., np.clip(columns, 0, width - 1)], np.zeros((), values.dtype))
