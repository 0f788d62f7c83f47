"""The split into training, validation and test patients, by a small integer program.

Drawing patients at random leaves small cohorts lopsided: all large tumours on one side, or no enhancing tumour to test
on. Instead, the fractions fix the numbers of patients, and the program chooses the patients of each split. Every split
gets every class if possible, and tumour volumes like those of the cohort.
"""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pulp

from mosaicmr.cohort.selection import SPLITS, TEST, TRAINING, VALIDATION
from mosaicmr.errors import InputError
from mosaicmr.seeds import derive_seed, numpy_generator

logger = logging.getLogger(__name__)

# Presence comes before balance. A class too rare for all splits goes to training first, then to the test.
PRESENCE_WEIGHTS = {"train": 120.0, "test": 110.0, "val": 100.0}
BALANCE_WEIGHTS = {"tumour": 1.0, "class": 0.3, "carriers": 0.6}
TIE_BREAK = 0.02  # at most, over all patients: chooses by seed among splits that are about equally good

# A deterministic end of the search: nodes, not seconds. The time limit is only a safety net far beyond them.
MAX_NODES = 300
TIME_LIMIT = 120  # seconds
ABSOLUTE_GAP = 0.03


def split_subjects(subjects: pd.DataFrame, fractions: Mapping[str, float], seed: int) -> pd.DataFrame:
    """Give every subject the split of its patient.

    subjects: rows of `check_subject`. fractions: of train, val and test, summing to 1. Returns the same rows with a
    column `split`. Raises InputError as `split_patients` does.
    """
    columns = [column for column in subjects if column.startswith("volume_")] + ["tumour_volume_mm3"]
    patients = subjects.groupby("patient", sort=True)[columns].sum()
    splits = split_patients(patients, fractions, seed)
    return subjects.assign(split=subjects["patient"].map(splits))


def log_split(subjects: pd.DataFrame) -> None:
    """Log each split's patients and tumour volume; `subjects` as `split_subjects` returns them."""
    volumes = subjects.groupby(["split", "patient"])["tumour_volume_mm3"].sum()
    for split in [split for split in SPLITS if split in volumes.index]:
        logger.info("%s: %d patients, %.0f ml of tumour each", split, len(volumes[split]), volumes[split].mean() / 1000)


def split_patients(patients: pd.DataFrame, fractions: Mapping[str, float], seed: int) -> dict[str, str]:
    """Choose the split of every patient.

    patients: index patient, columns volume_<class>_mm3 and tumour_volume_mm3. Returns patient -> split; the same for
    the same patients, fractions and seed, whatever their order. Raises InputError if a split would have no patient with
    a tumour.
    """
    sizes = split_sizes(len(patients), fractions)
    with_tumour, needed = int((patients["tumour_volume_mm3"] > 0).sum()), [split for split in SPLITS if sizes[split]]
    if with_tumour < len(needed):
        raise InputError(
            f"{with_tumour} of {len(patients)} patients have a tumour: expected at least {len(needed)}, one each for "
            f"{_words(needed)}; add annotated patients{_without_validation(needed)}."
        )
    shuffled = patients.sort_index().sample(frac=1, random_state=derive_seed(seed, "split order") % 2**32)
    problem, chosen = _program(shuffled, sizes, numpy_generator(seed, "split ties"))
    status = problem.solve(
        pulp.PULP_CBC_CMD(msg=False, threads=1, gapAbs=ABSOLUTE_GAP, maxNodes=MAX_NODES, timeLimit=TIME_LIMIT)
    )
    if status != pulp.LpStatusOptimal:
        raise InputError(
            f"cohort.split finds no division of {len(patients)} patients into {sizes} ({pulp.LpStatus[status]}): "
            "change the fractions or add patients."
        )
    return {
        patient: next(split for split in SPLITS if chosen[patient, split].value() > 0.5) for patient in patients.index
    }


def split_sizes(patients: int, fractions: Mapping[str, float]) -> dict[str, int]:
    """Numbers of patients by largest remainders, with at least one in every split but a validation of 0.

    Five patients by 0.6, 0.2 and 0.2 give 3, 1 and 1. Raises InputError for fewer patients than splits, or for
    fractions of training or test that are not positive, or that do not sum to 1.
    """
    values = {split: float(fractions[split]) for split in SPLITS}
    needed = [split for split in SPLITS if values[split] > 0]
    if min(values.values()) < 0 or not {TRAINING, TEST} <= set(needed) or abs(sum(values.values()) - 1) > 1e-6:
        raise InputError(
            f"cohort.split is {values}: expected fractions above 0 for train and test, and 0 or more for val, that sum "
            "to 1; correct them."
        )
    if patients < len(needed):
        raise InputError(
            f"the cohort has {patients} patient{'s' * (patients != 1)}: expected at least {len(needed)}, one each for "
            f"{_words(needed)}; add patients{_without_validation(needed)}."
        )
    # Rounding keeps 0.6 * 5 from becoming 2.9999999999999996.
    ideal = {split: round(fraction * patients, 9) for split, fraction in values.items()}
    sizes = {split: max(1, int(ideal[split])) if split in needed else 0 for split in SPLITS}
    while sum(sizes.values()) < patients:
        # At equal remainders the test comes before the validation, because every result is a mean over test patients.
        neediest = max(
            (split for split in PRESENCE_WEIGHTS if split in needed), key=lambda split: ideal[split] - sizes[split]
        )
        sizes[neediest] += 1
    while sum(sizes.values()) > patients:
        richest = max((split for split in SPLITS if sizes[split] > 1), key=lambda split: sizes[split] - ideal[split])
        sizes[richest] -= 1
    return sizes


def _words(splits: Sequence[str]) -> str:
    names = {TRAINING: "training", VALIDATION: "validation", TEST: "test"}
    *first, last = (names[split] for split in splits)
    return f"{', '.join(first)} and {last}"


def _without_validation(splits: Sequence[str]) -> str:
    return ", or set cohort.split.val to 0" if VALIDATION in splits else ""


def _program(
    patients: pd.DataFrame, sizes: Mapping[str, int], generator: np.random.Generator
) -> tuple[pulp.LpProblem, dict[tuple[str, str], pulp.LpVariable]]:
    """The integer program: x[p, s] = 1 where patient p is in split s.

    Minimises missing classes, then the relative deviations of every split's volumes and carriers of a class from its
    share of the cohort's, then random ties.
    """
    problem = pulp.LpProblem("split", pulp.LpMinimize)
    names = {patient: f"{number:05d}" for number, patient in enumerate(patients.index)}
    chosen = {
        (patient, split): pulp.LpVariable(f"x_{names[patient]}_{split}", cat=pulp.LpBinary)
        for patient in patients.index
        for split in SPLITS
    }
    costs = [_tie_break(chosen, generator)]
    for patient in patients.index:
        problem += pulp.lpSum(chosen[patient, split] for split in SPLITS) == 1
    for split in SPLITS:
        problem += pulp.lpSum(chosen[patient, split] for patient in patients.index) == sizes[split]
        if sizes[split] == 0:
            continue
        members = {patient: chosen[patient, split] for patient in patients.index}
        share = sizes[split] / len(patients)
        for column in patients.columns:
            tumour = column == "tumour_volume_mm3"
            carriers = (patients[column] > 0).astype(float)
            name = f"{column}_{split}"
            if tumour:
                problem += pulp.lpSum(members[patient] for patient in patients.index if carriers[patient]) >= 1
            else:
                costs.append(_missing(problem, members, carriers, f"missing_{name}", PRESENCE_WEIGHTS[split]))
            weight = BALANCE_WEIGHTS["tumour" if tumour else "class"]
            costs.append(weight * _deviation(problem, members, patients[column], share, f"volume_{name}"))
            weight = BALANCE_WEIGHTS["carriers"]
            costs.append(weight * _deviation(problem, members, carriers, share, f"carriers_{name}"))
    problem.setObjective(pulp.lpSum(costs))
    return problem, chosen


def _tie_break(chosen: Mapping, generator: np.random.Generator) -> pulp.LpAffineExpression:
    weights = generator.random(len(chosen)) * TIE_BREAK * len(SPLITS) / len(chosen)
    return pulp.lpSum(float(weight) * variable for weight, variable in zip(weights, chosen.values(), strict=True))


def _missing(
    problem: pulp.LpProblem, members: Mapping, carriers: pd.Series, name: str, weight: float
) -> pulp.LpAffineExpression | float:
    """Cost of a split without any carrier of a class; nothing for a class that the cohort does not have."""
    if not carriers.any():
        return 0.0
    missing = pulp.LpVariable(name, lowBound=0, upBound=1)
    problem += missing + pulp.lpSum(members[patient] for patient in carriers.index if carriers[patient]) >= 1
    return weight * missing


def _deviation(
    problem: pulp.LpProblem, members: Mapping, amounts: pd.Series, share: float, name: str
) -> pulp.LpAffineExpression | float:
    """|sum of the split's amounts / its share of the cohort's - 1| as a variable bounded from both sides."""
    total = float(amounts.sum()) * share
    if total <= 0:
        return 0.0
    deviation = pulp.LpVariable(name, lowBound=0)
    relative = pulp.lpSum(float(amounts[patient]) / total * members[patient] for patient in amounts.index)
    problem += deviation >= relative - 1
    problem += deviation >= 1 - relative
    return deviation
