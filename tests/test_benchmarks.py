"""The command that measures a base model: it runs, its figures mean what they say, and its file mixes no two bases."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

import benchmarks.base_figures.bench
from benchmarks import base_model, sampling
from benchmarks.base_figures import prompting
from benchmarks.base_figures.amounts import FULL, QUICK, TARGETS, Target
from benchmarks.base_figures.bench import Bench
from benchmarks.base_figures.phantoms import DOMAINS, Phantoms, measure_facts, simulate
from benchmarks.base_figures.reconstruction import brain_ssim
from benchmarks.base_figures.record import Figure, Record, describe
from benchmarks.base_figures.run import MEASURES, Request, choose
from benchmarks.base_figures.samples import frechet_ratio, mask_fidelity
from benchmarks.opening_base import count_experts, measure
from mosaicmr.cohort.labels import OEDEMA, TUMOUR_CLASSES
from mosaicmr.diffusion.regional_unet import RegionalUNet
from mosaicmr.errors import InputError
from mosaicmr.pretraining.unet_sets import MODALITIES
from mosaicmr.prompts.looks import Look
from mosaicmr.prompts.templates import SliceFacts
from mosaicmr.seeds import torch_generator
from mosaicmr.simulation.anatomy import Anatomy, load_anatomy
from mosaicmr.simulation.phantom import simulate_patient, write_patient
from mosaicmr.sources.subjects import phantom_files, phantom_patients

FIGURE = Figure(0.98, 0.97, 0.99, slices=10, patients=5)


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated patients in the place of real subjects."""
    folder = tmp_path_factory.mktemp("subjects")
    for patient in phantom_patients(4):
        phantom = simulate_patient(load_anatomy(), torch_generator(5, patient), voxel_size=3.0, tumour_grid=6.0)
        write_patient(phantom, phantom_files(folder, patient))
    return folder


@pytest.fixture(scope="module", autouse=True)
def simulated_once() -> Iterator[None]:
    """Each set of phantoms is simulated once: its name, the number of patients and how slices are cut decide it."""
    made: dict[tuple, Phantoms] = {}

    def simulate_once(anatomy: Anatomy, *asked) -> Phantoms:
        if asked not in made:
            made[asked] = simulate(anatomy, *asked)
        return made[asked]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(benchmarks.base_figures.bench, "simulate", simulate_once)
        yield


@pytest.fixture(scope="module")
def bench(base: Path) -> Bench:
    return Bench(base, None, QUICK)


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
) -> Callable[..., str]:
    """Call a command with arguments, in this process, and return what it prints."""

    def call(main: Callable[[], None], *arguments: str) -> str:
        # A variable that the command sets itself, to have it taken back afterwards.
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            monkeypatch.setenv(name, "1")
        caplog.set_level(logging.INFO, "mosaicmr")
        monkeypatch.setattr(sys, "argv", ["command", "--threads", "1", *arguments])
        main()
        return capsys.readouterr().out

    return call


def perfect(bench: Bench) -> Bench:
    """A bench whose base has drawn the very phantoms that it was asked for."""
    other = Bench(bench.base, None, QUICK)
    vars(other).update(vars(bench) | {"samples": bench.first.images.astype(np.float16)})
    return other


def test_the_command_measures_a_base_and_says_that_quick_figures_are_quick(
    base: Path, subjects: Path, tmp_path: Path, call: Callable[..., str]
) -> None:
    out, pictures = tmp_path / "figures.json", tmp_path / "pictures"
    folders = ["--base", str(base), "--real", str(subjects), "--out", str(out), "--pictures", str(pictures)]
    printed = call(base_model.main, "--quick", *folders)
    found = json.loads(out.read_text())
    assert list(found["figures"]) == list(TARGETS)
    assert found["quick"] and "Quick figures" in printed
    for name, figure in found["figures"].items():
        assert figure["met"] is None and figure["slices"] > 0 and figure["patients"] > 1 and figure["seconds"] > 0
        assert figure["measured"]["processor"] and figure["measured"]["versions"]["torch"]
        assert f"| {name} |" in printed
    expected = {"phantoms_reconstructions", "samples_coarse", "samples_fine", "prompts"}
    expected |= {"real_reconstructions", "real_half_noise_flair"}
    assert {path.stem for path in pictures.glob("*.png")} == expected


@pytest.mark.parametrize("name", ["base_model", "sampling"])
def test_a_command_is_called_from_any_folder(name: str, tmp_path: Path, checkout: Path) -> None:
    command = [sys.executable, str(checkout / "benchmarks" / f"{name}.py"), "--help"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "--quick" in run.stdout


def test_the_command_on_sampling_prints_a_row_for_each_pair_of_settings(base: Path, call: Callable[..., str]) -> None:
    settings = ["--patients", "3", "--steps", "1", "2", "--guidance", "1", "2.5"]
    printed = call(sampling.main, "--quick", "--base", str(base), *settings)
    rows = [line.split("|")[1:-1] for line in printed.splitlines() if line.startswith("| ")][1:]
    assert [(int(row[0]), float(row[1])) for row in rows] == [(1, 1.0), (1, 2.5), (2, 1.0), (2, 2.5)]
    assert all(float(row[2]) > 0 and 0 <= float(row[3]) <= 1 for row in rows)


def test_opening_once_and_for_each_expert_are_both_timed_in_each_repeat(base: Path) -> None:
    seconds = measure(base, experts=2, repeats=3)
    assert {len(each) for each in seconds.values()} == {3}
    assert all(second > 0 for each in seconds.values() for second in each)
    assert {"all experts, opened for each", "all experts, opened once"} < seconds.keys()


def test_the_experts_of_each_sampling_job_are_counted() -> None:
    config = {"cohort": {"label_scheme": "brats2021"}, "partition": {"healthy_domains": 2}}
    config["layouts"] = {"slices": 5, "slices_per_batch": 4}
    variants = {"apart": {"scheme": "independent"}, "whole": {"scheme": "single"}, "together": {"scheme": "joint"}}
    config["synthesis"] = {"variants": variants}
    # Partitions, joint denoising, whole slice and the joint scheme of each of two batches, and the sweep.
    assert sorted(count_experts(config)) == sorted([5, 1, 1, 6] * 2 + [1])


def test_slices_are_redrawn_from_half_noise_after_the_base_was_adapted(base: Path, subjects: Path) -> None:
    figure = MEASURES["half_noise_ssim_real"](Bench(base, subjects, QUICK))
    assert figure.patients == 2 and figure.parts["adaptation"]["subjects"] == 2
    assert figure.parts["adaptation"]["steps"] > 0
    assert figure.value == pytest.approx(figure.parts["after"]["mean"])
    assert figure.value != figure.parts["before"]["mean"]


def test_a_base_that_draws_the_phantoms_themselves_reaches_the_floor(bench: Bench) -> None:
    figure = frechet_ratio(perfect(bench))
    # Samples are kept in half precision.
    assert figure.value == pytest.approx(1.0, abs=1e-3)
    assert figure.parts["floor"]["mean"] > 0
    assert figure.parts["background"] == 0
    for part in ("autoencoded", "random_contrast"):
        assert figure.parts[part]["mean"] > figure.parts["floor"]["mean"]


def test_a_base_that_draws_the_phantoms_themselves_keeps_every_mask(bench: Bench) -> None:
    figure = mask_fidelity(perfect(bench))
    assert figure.value == pytest.approx(1.0, abs=1e-2)
    assert 0 < figure.parts["mean"]["phantoms"] < 1


def paint(bench: Bench, facts: Sequence[SliceFacts], looks: Sequence[tuple[Look, ...]]) -> np.ndarray:
    """The phantoms with every tumour class as it was asked for: the tiny base's thirds end at 0.3 and 0.6, and 0.1 is
    the deviation above which it is heterogeneous."""
    images = np.zeros_like(bench.first.images)
    for image, labels, asked in zip(images, bench.first.labels, looks, strict=True):
        for look in asked:
            inside = labels == look.tumour_class
            rough = np.where(np.arange(inside.sum()) % 2, 0.14, -0.14) * look.texture
            image[MODALITIES.index(look.modality), inside] = (0.15, 0.45, 0.75)[look.brightness] + rough
    return images


def test_a_base_that_obeys_every_word_has_full_prompt_accuracy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompting, "draw", paint)
    figure = prompting.prompt_accuracy(perfect(bench))
    assert figure.value == 1.0
    assert figure.parts["texture"]["asked"] == 1.0
    assert figure.parts["own_looks"] == 1.0  # its samples are the phantoms that the words were measured on
    assert figure.parts["silent_prompts"] < 0.6  # all black: only the third that was asked to be dark is right
    assert figure.parts["by_asked_level"]["bright"] == {"dark": 0.0, "intermediate": 0.0, "bright": 1.0}


def test_what_the_reader_finds_is_compared_with_what_was_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = measure_facts(bench.first, bench.scale)[:2]
    asked = [(Look(2, "FLAIR", 0, 0), Look(2, "T2", 1, 0)), (Look(1, "T1ce", 2, 0), Look(3, "FLAIR", 1, 0))]
    words = torch.zeros(2, len(TUMOUR_CLASSES), len(MODALITIES), 5)
    for row, looks in enumerate(asked):
        for look in looks:
            words[row, look.tumour_class - 1, MODALITIES.index(look.modality), look.brightness] = 0.9
    monkeypatch.setattr(RegionalUNet, "read", lambda *_: words)
    assert prompting.read_rightly(bench, facts, asked) == 1.0
    words[1, 0, MODALITIES.index("T1ce")] *= 0.4  # nothing said is likelier
    assert prompting.read_rightly(bench, facts, asked) == 0.75


def test_the_picture_of_prompts_changes_one_word() -> None:
    looks = (Look(2, "FLAIR", 2, 1), Look(2, "T2", 2, 1), Look(3, "FLAIR", 2, 1))
    changed = prompting.change_look(looks, OEDEMA, "FLAIR", 0)
    assert changed == (Look(2, "FLAIR", 0, 1), *looks[1:])


def test_sets_of_phantoms_share_no_patient_and_come_out_the_same_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmarks.base_figures.bench, "simulate", simulate)
    again = Bench(bench.base, None, QUICK)
    np.testing.assert_array_equal(bench.second.images, again.second.images)
    assert not set(bench.first.patients) & set(bench.second.patients)
    tuned_on = Bench(bench.base, None, QUICK, patients="tuning ").first
    for others in (bench.second, tuned_on):
        assert not any((one == others.images).all((1, 2, 3)).any() for one in bench.first.images)


def test_layouts_of_phantoms_have_three_healthy_domains_by_rising_grey(bench: Bench) -> None:
    grey = bench.first.images[:, MODALITIES.index("T1")]
    for one, domains, labels in zip(grey, bench.domains, bench.first.labels, strict=True):
        assert domains.max() == len(DOMAINS)
        np.testing.assert_array_equal(domains[labels > 0], labels[labels > 0])  # ids 1 to 3 are the classes'
        means = [one[domains == number].mean() for number in range(4, len(DOMAINS) + 1)]
        assert means == sorted(means)


def test_the_ssim_of_a_slice_to_itself_is_one_in_every_modality(bench: Bench) -> None:
    images, brain = bench.first.images[:2], bench.first.brain[:2]
    changed = images.copy()
    changed[:, 1] = 1 - changed[:, 1]
    values = brain_ssim(images, changed, brain)
    assert values[:, [0, 2, 3]] == pytest.approx(1.0)
    assert (values[:, 1] < 0.5).all()


@pytest.mark.parametrize(("target", "met"), [(Target(0.97), True), (Target(0.99), False), (Target(0.99, True), True)])
def test_a_target_is_met_or_not(target: Target, met: bool) -> None:
    assert describe(FIGURE, target, 1.0, quick=False)["met"] is met


@pytest.mark.parametrize(("quick", "value"), [(True, 0.98), (False, float("nan"))])
def test_neither_a_quick_figure_nor_none_meets_a_target(quick: bool, value: float) -> None:
    figure = Figure(value, float("nan"), float("nan"), 10, 5)
    described = describe(figure, Target(0.5), 1.0, quick)
    assert described["met"] is None
    json.dumps(described, allow_nan=False)


def record(path: Path, base: Path, amounts=FULL, anew: bool = False) -> Record:
    return Record(path, base, amounts, anew)


def add(target: Record, name: str) -> None:
    target.add(name, describe(FIGURE, TARGETS[name], 1.0, quick=False))


def test_figures_of_the_same_base_are_kept_in_their_usual_order(base: Path, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    add(record(path, base), "prompt_accuracy")
    add(record(path, base, anew=True), "autoencoder_ssim_phantoms")
    assert list(json.loads(path.read_text())["figures"]) == ["autoencoder_ssim_phantoms", "prompt_accuracy"]


def test_figures_of_another_base_are_replaced_as_a_whole_or_not_at_all(base: Path, tmp_path: Path) -> None:
    path, other = tmp_path / "figures.json", tmp_path / "other"
    add(record(path, base), "prompt_accuracy")
    other.mkdir()
    (other / "mosaicmr.json").write_text("{}")
    with pytest.raises(InputError, match="another base"):
        record(path, other)
    add(record(path, other, anew=True), "mask_fidelity")
    assert list(json.loads(path.read_text())["figures"]) == ["mask_fidelity"]


def test_quick_figures_replace_no_others(base: Path, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    add(record(path, base), "prompt_accuracy")
    with pytest.raises(InputError, match="--out"):
        record(path, base, QUICK, anew=True)


def request(names: tuple[str, ...], real: Path | None) -> Request:
    return Request(Path("base"), real, QUICK, names, 1, Path("out"), None)


def test_figures_of_real_subjects_are_left_out_without_any(tmp_path: Path) -> None:
    assert choose(request((), tmp_path)) == list(TARGETS)
    assert set(TARGETS) - set(choose(request((), None))) == {"autoencoder_ssim_real", "half_noise_ssim_real"}
    with pytest.raises(InputError, match="--real"):
        choose(request(("autoencoder_ssim_real",), None))
