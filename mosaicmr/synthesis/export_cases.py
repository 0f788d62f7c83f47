"""Cases of an exported set: which slices it holds, whom they are of, and how they lie in space."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import nibabel as nib
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mosaicmr.cohort.selection import TRAINING, splits_of
from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.partition.domains import WHOLE

DESCRIPTIONS = {True: "MosaicMR synthetic slice", False: "MosaicMR slice of a patient"}
FOLDS = 5  # as nnU-Net has


@dataclass(frozen=True)
class Case:
    """A slice of an exported set.

    images: float [M, H, W]; labels: uint8 [H, W], tumour classes; row 0 is anterior, column 0 the patient's right.
    group: of the patients behind it, anonymous. slice: its name in the run, and prompt, both '' for a patient's slice.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    group: str
    slice: str = ""
    prompt: str = ""

    @property
    def synthetic(self) -> bool:
        """Whether the slice was drawn, and is no patient's."""
        return self.slice != ""


def cases_of(batches: Sequence[SliceSet], real: Sequence[SliceSet], groups: Sequence[str]) -> Iterator[Case]:
    """The cases of a set: drawn slices (mosaic_00001 and up), then patients' slices (real_00001 and up).

    batches: images and labels of layouts. real: images and labels of patients. groups: of each case, in this order.
    """
    named = iter(groups)
    number = 0
    for batch in batches:
        rows = zip(batch.images, batch.labels, batch.table["slice"], batch.table[f"prompt_{WHOLE}"], strict=True)
        for images, labels, identifier, prompt in rows:
            number += 1
            yield Case(f"mosaic_{number:05d}", images, labels, next(named), identifier, prompt)
    number = 0
    for shard in real:
        for images, labels in zip(shard.images, shard.labels, strict=True):
            number += 1
            yield Case(f"real_{number:05d}", images, labels, next(named))


def training_slices_of(shard: SliceSet, subjects: pd.DataFrame) -> SliceSet:
    """The slices of a shard that are of training patients by `subjects` (columns subject, split), and no others."""
    return shard.keep(np.asarray(splits_of(shard.table, subjects) == TRAINING))


def group_cases(batches: Sequence[SliceSet], real: Sequence[SliceSet]) -> tuple[list[str], bool]:
    """The group of each case, in the order of `cases_of`, and whether tumours of other patients were counted.

    Cases that share a patient share a group: the patient of the layout, and the one whose tumour it was given. Where
    this chains all cases together, only the patient of the layout counts. Groups are called after the order in which
    they appear, so that nobody is named.
    """
    drawn, of_patients = [batch.table for batch in batches], [shard.table for shard in real]
    own = [patient for table in (*drawn, *of_patients) for patient in table["patient"]]
    donors = [donor for table in drawn for donor in table["donor_patient"]]
    donors += [None] * (len(own) - len(donors))
    chained = _connect(own, donors)
    strict = len(set(chained)) > 1 or len(set(own)) == 1
    numbers: dict = {}
    names = [f"group_{numbers.setdefault(key, len(numbers) + 1):03d}" for key in (chained if strict else own)]
    return names, strict


def _connect(own: Sequence[str], donors: Sequence[str | None]) -> list[int]:
    """The component of each case's patient, where a tumour that was given connects two patients."""
    patients = {patient: index for index, patient in enumerate(dict.fromkeys(own))}
    given = [(one, two) for one, two in zip(own, donors, strict=True) if not pd.isna(two)]
    pairs = [(patients[one], patients.setdefault(two, len(patients))) for one, two in given]
    rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(patients), len(patients)))
    _, component = connected_components(graph, directed=False)
    return [int(component[patients[patient]]) for patient in own]


def split_folds(names: Sequence[str], groups: Sequence[str]) -> list[dict[str, list[str]]]:
    """Folds as nnU-Net's splits_final.json has them: for each, the cases of `train` and of `val`.

    No group is on both sides of a fold. Groups go to the smallest fold, large groups first. The fold that trains on
    most cases is the first, because fold 0 is often the only one that is trained. At most 5 folds, as many as there
    are groups; none for a single group.
    """
    members = pd.Series(names).groupby(list(groups), sort=False).agg(list)
    count = min(FOLDS, len(members))
    if count < 2:
        return []
    folds: list[list[str]] = [[] for _ in range(count)]
    for group in sorted(members, key=lambda cases: (-len(cases), cases)):
        min(folds, key=len).extend(group)
    return [
        {"train": sorted(set(names) - set(held_out)), "val": sorted(held_out)}
        for held_out in sorted(folds, key=lambda fold: (len(fold), sorted(fold)))
    ]


def to_nifti(picture: np.ndarray, pixel_size: float, slice_spacing: float, description: str = "") -> nib.Nifti1Image:
    """A slice [H, W] (row 0 anterior, column 0 the patient's right) as NIfTI [W, H, 1] in RAS+ orientation.

    Voxel axes run to the patient's right, to anterior and to superior, so any viewer shows anterior up and marks the
    sides correctly. The middle of the slice is the origin. Sizes in mm. The axis with a single slice must have the
    largest voxel size: nnU-Net takes that axis for the one across slices, and any other makes its training fail. So a
    slice_spacing that is no larger than the pixels becomes twice their size. description: up to 79 letters.
    """
    height, width = picture.shape
    depth = slice_spacing if slice_spacing > pixel_size else 2 * pixel_size
    affine = np.diag([pixel_size, pixel_size, depth, 1.0])
    affine[:2, 3] = -pixel_size * (width - 1) / 2, -pixel_size * (height - 1) / 2
    image = nib.Nifti1Image(np.ascontiguousarray(picture[::-1, ::-1].T)[:, :, None], affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description
    return image
