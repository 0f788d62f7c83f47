"""Label schemes: what the values of a segmentation mean, by a public scheme or by the cohort's own list."""

import numpy as np
import pandas as pd
import pytest

from mosaicmr.cohort.labels import LABEL_SCHEMES, TUMOUR_CLASSES, LabelScheme, TumourClass, occurring_classes
from mosaicmr.errors import InputError
from mosaicmr.prompts.looks import Look
from mosaicmr.prompts.templates import SliceFacts, write_prompt

LESION = {"name": "lesion", "values": [255], "words": "lesion", "like": "oedema"}
RIM = {"name": "rim", "values": [4, 7], "words": "enhancing rim", "like": "enhancing"}


@pytest.mark.parametrize("name", LABEL_SCHEMES)
def test_a_public_scheme_numbers_its_classes_without_gaps_and_knows_its_own_records(name):
    scheme = LabelScheme.named(name)
    assert [tumour.value for tumour in scheme.classes] == list(range(1, len(scheme.classes) + 1))
    assert LabelScheme.from_records(scheme.records(), name) == scheme


def test_values_of_a_cohorts_own_scheme_become_its_classes_in_the_order_of_the_list():
    scheme = LabelScheme.from_records([RIM, LESION])
    labels = np.array([[0, 255], [4, 7]])
    assert scheme.to_classes(labels, "seg").tolist() == [[0, 2], [1, 1]]
    assert scheme.from_classes(np.array([0, 1, 2])).tolist() == [0, 4, 255]


def test_a_value_outside_the_scheme_is_refused_with_the_file():
    with pytest.raises(InputError, match=r"seg.nii has the label 3.*expected 0, 255"):
        LabelScheme.from_records([LESION]).to_classes(np.array([0, 3, 255]), "seg.nii")


@pytest.mark.parametrize(
    ("second", "message"),
    [(RIM | {"name": "lesion"}, "two classes called 'lesion'"), (RIM | {"values": [255]}, "255.*'lesion' and 'rim'")],
)
def test_classes_that_contradict_each_other_are_refused(second, message):
    with pytest.raises(InputError, match=message):
        LabelScheme.from_records([LESION, second])


def test_an_unknown_scheme_is_refused_with_the_known():
    with pytest.raises(InputError, match="brats2099.*brats2021.*custom"):
        LabelScheme.named("brats2099")


def test_a_class_that_resembles_nothing_the_base_knows_is_refused():
    with pytest.raises(InputError, match="'lesion' is like 'cyst': expected one of necrosis"):
        _ = TumourClass(1, "lesion", "lesion", like="cyst").base_class


def test_classes_that_no_scan_has_do_not_occur():
    subjects = pd.DataFrame(
        {"volume_necrosis_mm3": [0.0, 0.0], "volume_oedema_mm3": [0.0, 9.0], "volume_enhancing_mm3": [1.0, 0.0]}
    )
    classes = LabelScheme.named("brats2021").classes
    assert [tumour.name for tumour in occurring_classes(classes, subjects)] == ["oedema", "enhancing"]


def test_prompts_name_a_class_in_the_cohorts_words_and_in_those_the_base_has_learnt():
    classes = LabelScheme.from_records([LESION]).classes
    facts = SliceFacts(0.5, 1.0, 900.0, "left", "central", (1,), (Look(1, "FLAIR", 2, 0),))
    prompt = write_prompt("lesion", facts, ["FLAIR"], classes)
    assert prompt.startswith("Texture of lesion like oedema, ")
    assert prompt.endswith(
        "medium tumour, left central: lesion like oedema. lesion like oedema: FLAIR bright homogeneous"
    )
    # The base's own classes are said as it was trained with them.
    assert all(tumour.prompt_words == tumour.words for tumour in TUMOUR_CLASSES)
