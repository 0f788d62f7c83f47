"""One slice drawn with the library alone, as the README's example does it."""

import inspect
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import yaml

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.slice_set import SliceHeader, SliceSet
from mosaicmr.diffusion.adapters import add_adapter, save_adapter, trainable_parameters
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.denoiser import Denoiser
from mosaicmr.errors import InputError
from mosaicmr.partition.domains import domain_names
from mosaicmr.synthesis.drawing import draw_slice
from tests.support.tiny_models import MODALITIES

NAMES = domain_names(LabelScheme.named("brats2021").classes, 3)
HEADER = SliceHeader(tuple(MODALITIES), 1.5, LabelScheme.named("brats2021").classes, NAMES)


def domain_map(size=32) -> np.ndarray:
    """A brain of two healthy domains with an oedema, in a margin of background."""
    domains = np.zeros((size, size), np.uint8)
    domains[4:-4, 4:-4] = NAMES.index("healthy1") + 1
    domains[4:-4, size // 2 : -4] = NAMES.index("healthy3") + 1
    domains[10:18, 10:18] = NAMES.index("oedema") + 1
    return domains


def save_expert(base: Base, folder: Path) -> None:
    """Write an expert that differs from its base."""
    expert = add_adapter(base.load_unet(), "lora", rank=2, seed=1, domain="whole")
    for parameter in trainable_parameters(expert).values():
        parameter.data.add_(0.05)
    save_adapter(expert, folder, base.unet_name)


def readme_example() -> None:
    """The README's Python example."""
    from mosaicmr.diffusion.base import Base
    from mosaicmr.diffusion.denoiser import Denoiser
    from mosaicmr.synthesis.drawing import draw_slice
    from mosaicmr.synthesis.inputs import Layouts

    layouts = Layouts.open("results/demo/layouts/b0000.safetensors")
    base = Base.open("models/base", layouts.header.modalities)
    expert = Denoiser.load(base, "results/demo/experts/whole")  # without a folder: the base itself
    domains, prompt = layouts.domains[0], layouts.table["prompt_whole"][0]  # [128, 128] and text
    images = draw_slice(base, expert, domains, layouts.header, prompt)  # [4, 128, 128] in [0, 1]
    plt.imsave("slice.png", images[0].astype("float32"), cmap="gray")


def test_the_example_of_the_readme_draws_a_slice(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "models").mkdir()
    os.symlink(base, tmp_path / "models" / "base")
    monkeypatch.chdir(tmp_path)
    save_expert(Base.open("models/base", MODALITIES), Path("results/demo/experts/whole"))
    table = pd.DataFrame({"slice": ["s00001"], "prompt_whole": ["Whole slice, axial brain MRI"]})
    SliceSet(HEADER, table, {"domains": domain_map()[None]}).save("results/demo/layouts/b0000.safetensors")
    readme_example()
    assert plt.imread("slice.png").shape[:2] == (32, 32)


def test_a_slice_has_the_modalities_of_the_base_and_is_black_outside_its_brain(base: Path, tmp_path: Path):
    opened, domains = Base.open(base, ["T2", "FLAIR"]), domain_map()
    images = draw_slice(opened, Denoiser.load(opened), domains, HEADER, "oedema")
    assert images.shape == (2, 32, 32) and images.dtype == np.float16
    assert images.min() >= 0 and images.max() <= 1 and images[:, domains > 0].std() > 0.01
    assert not images[:, domains == 0].any()


def test_expert_prompt_seed_and_domains_each_change_the_slice_and_nothing_else_does(base: Path, tmp_path: Path):
    opened, domains = Base.open(base, MODALITIES), domain_map()
    save_expert(opened, tmp_path)
    plain, expert = Denoiser.load(opened), Denoiser.load(opened, tmp_path)
    moved = np.where(domains == NAMES.index("oedema") + 1, NAMES.index("necrosis") + 1, domains).astype(np.uint8)
    drawn = [
        draw_slice(opened, plain, domains, HEADER, "oedema"),
        draw_slice(opened, expert, domains, HEADER, "oedema"),
        draw_slice(opened, plain, domains, HEADER, "a large necrosis, FLAIR bright"),
        draw_slice(opened, plain, domains, HEADER, "oedema", seed=2),
        draw_slice(opened, plain, moved, HEADER, "oedema"),
    ]
    assert len({images.tobytes() for images in drawn}) == len(drawn)
    assert draw_slice(opened, plain, domains, HEADER, "oedema").tobytes() == drawn[0].tobytes()


def test_a_map_of_another_size_or_with_an_unknown_domain_is_refused(base: Path):
    opened = Base.open(base, MODALITIES)
    plain = Denoiser.load(opened)
    with pytest.raises(InputError, match=r"is \(30, 30\): expected multiples of"):
        draw_slice(opened, plain, domain_map()[:30, :30], HEADER, "")
    with pytest.raises(InputError, match="holds id 99: expected at most 6"):
        draw_slice(opened, plain, np.full_like(domain_map(), 99), HEADER, "")


def test_a_base_without_modalities_draws_nothing(stable_diffusion: Path):
    with pytest.raises(InputError, match="was opened without modalities"):
        Denoiser.load(Base.open(stable_diffusion))


def test_the_defaults_are_those_of_the_configuration(checkout: Path):
    shipped = yaml.safe_load((checkout / "config" / "config.yaml").read_text())
    defaults = {name: each.default for name, each in inspect.signature(draw_slice).parameters.items()}
    for key in ("steps", "guidance_scale"):
        assert defaults[key] == shipped["synthesis"][key]
    assert defaults["seed"] == shipped["seed"]
