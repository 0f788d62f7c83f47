"""The schemes, with experts that paint known grey levels, and once with a real if tiny network."""

import numpy as np
import pytest

from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.denoiser import Denoiser
from mosaicmr.synthesis import generation
from mosaicmr.synthesis.generation import Sampler, Start, denoise_merged, render_domains, synthesize_slices
from mosaicmr.synthesis.inputs import Embeddings, Layouts
from tests.support.fake_experts import GREYS, NAMES, GreyPainter, grey_layouts, grey_sampler
from tests.support.tiny_models import MODALITIES


def first_rows(layouts: Layouts, count: int) -> Layouts:
    return layouts.keep(np.arange(count))


def drawn_renderings(sampler: Sampler, layouts: Layouts, load_expert) -> np.ndarray:
    renderings = np.zeros((len(layouts), len(layouts.names), *layouts.source.shape[1:]), np.float16)
    render_domains(sampler, layouts, load_expert, Start(), renderings)
    return renderings


def test_each_expert_paints_the_slices_of_its_domain_and_no_others():
    layouts, loaded = grey_layouts(), []

    def load_expert(name):
        loaded.append(name)
        return GreyPainter()

    renderings = drawn_renderings(grey_sampler(), layouts, load_expert)

    assert renderings.shape == (5, 5, 2, 16, 16)
    assert renderings.dtype == np.float16
    assert loaded == ["necrosis", "oedema", "healthy1", "healthy2"], "no slice has an enhancing domain"
    assert not renderings[1:, NAMES.index("necrosis")].any()
    assert np.allclose(renderings[0, NAMES.index("necrosis")], GREYS["necrosis"], atol=2e-3)
    assert np.allclose(renderings[:, NAMES.index("oedema")], GREYS["oedema"], atol=2e-3)


@pytest.mark.parametrize("share_noise", [True, False])
def test_experts_start_from_the_same_noise_where_it_is_shared(share_noise):
    layouts, sampler = grey_layouts(), grey_sampler(share_noise=share_noise)
    sampler.embeddings.states[:] = 0.5  # every prompt asks for the same, so only the noise tells experts apart
    renderings = drawn_renderings(sampler, layouts, lambda name: GreyPainter(0.3))
    assert np.array_equal(renderings[:, 3], renderings[:, 4]) == share_noise


def test_a_slice_has_the_same_bytes_whatever_the_batch(monkeypatch):
    layouts, sampler = grey_layouts(), grey_sampler(guidance_scale=2.0)
    together = synthesize_slices(sampler, layouts, GreyPainter(0.3), Start())
    monkeypatch.setattr(generation, "BATCH", 2)
    painter = GreyPainter(0.3)
    in_pairs = synthesize_slices(sampler, layouts, painter, Start())
    assert painter.batches[0] == 2
    assert together.tobytes() == in_pairs.tobytes()
    alone = synthesize_slices(sampler, first_rows(layouts, 1), GreyPainter(0.3), Start())
    assert together[:1].tobytes() == alone.tobytes()


def test_another_seed_draws_another_slice():
    layouts = grey_layouts()
    first, second = (synthesize_slices(grey_sampler(seed=seed), layouts, GreyPainter(0.3), Start()) for seed in (1, 2))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first[0], first[1]), "each slice has noise of its own"


def test_slices_are_black_outside_the_brain_of_their_layout():
    layouts = grey_layouts()
    images = synthesize_slices(grey_sampler(), layouts, GreyPainter(), Start())
    outside = np.broadcast_to(layouts.domains[:, None] == 0, images.shape)
    assert not images[outside].any()
    assert np.allclose(images[~outside], GREYS["whole"], atol=2e-3)


def test_strength_zero_returns_the_source():
    layouts, painter = grey_layouts(), GreyPainter()
    assert np.array_equal(synthesize_slices(grey_sampler(), layouts, painter, Start(layouts.source, 0)), layouts.source)
    assert np.array_equal(denoise_merged(grey_sampler(), layouts, painter, layouts.source, 0), layouts.source)
    assert not painter.batches


def test_a_source_is_remembered_less_the_higher_the_strength():
    layouts, sampler = grey_layouts(), grey_sampler(steps=10)

    def distance(strength):
        drawn = synthesize_slices(sampler, layouts, GreyPainter(0.3), Start(layouts.source, strength))
        return np.abs(drawn.astype(float) - layouts.source).mean()

    distances = [distance(strength) for strength in (0.1, 0.5, 1.0)]
    assert distances == sorted(distances)
    assert distances[0] < 0.6 * distances[2]


def test_a_full_strength_forgets_the_source():
    layouts, sampler = grey_layouts(), grey_sampler()
    from_source = synthesize_slices(sampler, layouts, GreyPainter(0.3), Start(layouts.source, 1.0))
    from_noise = synthesize_slices(sampler, layouts, GreyPainter(0.3), Start())
    assert np.allclose(from_source, from_noise, atol=2e-3)


def test_variants_name_their_start():
    layouts = grey_layouts()
    assert Start.of({"scheme": "single", "start": "noise"}, layouts) == Start(None, 1.0)
    start = Start.of({"scheme": "single", "start": "source", "strength": 0.5}, layouts)
    assert start.images is layouts.source
    assert start.strength == 0.5


def test_joint_denoising_draws_merged_slices_towards_the_whole_expert():
    layouts = grey_layouts()
    merged = np.where(layouts.domains[:, None] > 0, np.float16(0.9), np.float16(0)).repeat(2, axis=1)
    images = denoise_merged(grey_sampler(steps=10), layouts, GreyPainter(0.2), merged, 0.5)
    inside = np.broadcast_to(layouts.domains[:, None] > 0, images.shape)
    assert GREYS["whole"] < images[inside].mean(dtype=float) < 0.85
    assert not images[~inside].any()


@pytest.mark.parametrize(
    ("model", "text_width", "modalities"),
    [("base", 384, MODALITIES), ("base", 384, ["T1", "T2"]), ("stable_diffusion", 32, ["FLAIR", "T2"])],
)
def test_a_real_network_draws_all_modalities_together(request, model, text_width, modalities):
    base = Base.open(request.getfixturevalue(model), modalities, precision="fp32")
    layouts = grey_layouts(count=3, modalities=len(modalities))
    states = np.random.default_rng(0).normal(size=(2, 4, text_width)).astype(np.float16)
    embeddings = Embeddings(states, np.ones((2, 4), np.uint8), {"": 0, "paint whole": 1})
    settings = {"steps": 3, "guidance_scale": 2.0, "share_noise": True}
    sampler = Sampler.of(base, embeddings, settings, 1)
    whole = Denoiser.load(base)

    images = synthesize_slices(sampler, layouts, whole, Start(layouts.source, 0.7))

    assert images.shape == (3, len(modalities), 16, 16)
    assert np.isfinite(images).all()
    assert images.tobytes() == synthesize_slices(sampler, layouts, whole, Start(layouts.source, 0.7)).tobytes()
    # Kernels may round differently for another batch size, so with a real network slices are equal to rounding only.
    alone = synthesize_slices(sampler, first_rows(layouts, 1), whole, Start(layouts.source[:1], 0.7))
    assert np.allclose(images[:1], alone, atol=2e-3)
