"""The exports that a configuration asks for, made from a finished tiny run."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from mosaicmr.io import load_json, load_table
from tests.support.workflow import planned
from tests.workflow.conftest import TinyRun

pytestmark = pytest.mark.workflow

LIKE = {
    "channel_names": {"0": "T2w", "1": "FLAIR"},
    "labels": {"background": 0, "oedema": 1, "necrosis": 2, "enhancing": 3},
}


@pytest.fixture(scope="module")
def exported(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A copy of the tiny run with every export: real slices too, names of another data set, the BIDS derivative."""
    directory = shutil.copytree(tiny_run.directory, tmp_path_factory.mktemp("exports") / "checkout", symlinks=True)
    (directory / "like.json").write_text(json.dumps(LIKE))
    run = replace(tiny_run, directory=directory)
    words = ("export={real: true, like: like.json, bids: true}",)
    plan = planned(run.again("--dry-run", config=words))
    assert plan == {"export_dataset": 1, "export_bids": 1}
    finished = run.again(config=words)
    assert finished.returncode == 0, finished.stdout[-6000:]
    return run


def of_training(run: TinyRun) -> int:
    """The number of real slices of training patients."""
    subjects = load_table(run.results / "cohort" / "subjects.parquet")
    slices = pd.concat(map(load_table, sorted((run.results / "slices").glob("*.parquet"))))
    return int(slices["subject"].isin(subjects.loc[subjects["split"] == "train", "subject"]).sum())


def test_slices_of_training_patients_and_no_others_lie_beside_the_synthetic(exported: TinyRun):
    folder = exported.results / "dataset"
    provenance = pd.read_csv(folder / "provenance.csv")
    assert (~provenance["synthetic"]).sum() == of_training(exported) > 0
    assert (
        load_json(folder / "dataset.json")["numTraining"]
        == len(provenance)
        == len(list((folder / "labelsTr").iterdir()))
    )
    groups = provenance.set_index("case")["group"]
    for fold in load_json(folder / "splits_final.json"):
        assert not set(groups[fold["train"]]) & set(groups[fold["val"]])
    texts = [path.read_text() for path in folder.iterdir() if path.is_file()]
    subjects = load_table(exported.results / "cohort" / "subjects.parquet")
    for name in (*subjects["subject"], *subjects["patient"]):
        assert not [text for text in texts if name in text]


def test_channels_and_labels_are_those_of_the_named_data_set(exported: TinyRun, tiny_run: TinyRun):
    ours, theirs = (run.results / "dataset" for run in (tiny_run, exported))
    assert {name: load_json(theirs / "dataset.json")[name] for name in LIKE} == LIKE
    assert len(list((theirs / "imagesTr").glob("mosaic_00001_*"))) == 2
    for before, now in (("0003", "0000"), ("0000", "0001")):
        images = [
            voxels(folder / "imagesTr" / f"mosaic_00001_{n}.nii.gz") for folder, n in ((ours, before), (theirs, now))
        ]
        np.testing.assert_array_equal(*images)
    labels = [voxels(folder / "labelsTr" / "mosaic_00001.nii.gz") for folder in (ours, theirs)]
    np.testing.assert_array_equal(np.array([0, 2, 1, 3])[labels[0]], labels[1])


def test_the_bids_derivative_names_the_weights_that_drew_its_slices(exported: TinyRun):
    folder = exported.results / "dataset_bids"
    layouts = pd.concat(map(load_table, sorted((exported.results / "layouts").glob("*.parquet"))))
    sidecars = [load_json(path) for path in sorted(folder.glob("sub-*/anat/*_dseg.json"))]
    assert [sidecar["prompt"] for sidecar in sidecars] == layouts["prompt_whole"].tolist()
    for expert, digest in sidecars[0]["experts"].items():
        weights = exported.results / "experts" / expert / "adapter_model.safetensors"
        assert hashlib.sha256(weights.read_bytes()).hexdigest() == digest
    assert set(sidecars[0]["experts"]) == {path.name for path in (exported.results / "experts").iterdir()}


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)
