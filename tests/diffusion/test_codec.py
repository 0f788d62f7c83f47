"""The codec: slices to normalised latents and back, each modality on its own."""

from pathlib import Path

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from mosaicmr.diffusion.codec import BACKGROUND_CEILING, Codec


@pytest.fixture(scope="module")
def codec(base: Path) -> Codec:
    return Codec.bundled(base)


def test_latents_are_smaller_by_the_downsampling_and_lie_side_by_side(codec: Codec) -> None:
    mean, std = codec.encode(torch.rand(2, 3, 32, 32))
    side = 32 // codec.downsampling
    assert mean.shape == std.shape == (2, 3 * codec.channels, side, side)
    assert (std > 0).all()


def test_a_modality_does_not_see_the_others(codec: Codec) -> None:
    images = torch.rand(1, 2, 32, 32)
    other = images.clone()
    other[:, 1] = 0.5
    first, changed = codec.encode(images)[0], codec.encode(other)[0]
    torch.testing.assert_close(first[:, : codec.channels], changed[:, : codec.channels])
    assert not torch.allclose(first[:, codec.channels :], changed[:, codec.channels :])


def test_decoding_gives_slices_in_range_with_black_background(codec: Codec) -> None:
    images = codec.decode(torch.randn(2, 3 * codec.channels, 8, 8))
    assert images.shape == (2, 3, 8 * codec.downsampling, 8 * codec.downsampling)
    assert images.min() >= 0 and images.max() <= 1
    assert not ((images > 0) & (images < BACKGROUND_CEILING)).any()


def test_stable_diffusion_latents_are_scaled_by_its_own_factor() -> None:
    autoencoder = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        scaling_factor=0.25,
    )
    codec = Codec.stable_diffusion(autoencoder)
    images = torch.rand(1, 1, 16, 16)
    expected = autoencoder.encode((images * 2 - 1).expand(-1, 3, -1, -1)).latent_dist.mean * 0.25
    torch.testing.assert_close(codec.encode(images)[0], expected)
    assert codec.downsampling == 2


def test_the_shipped_autoencoder_reconstructs_a_simulated_slice() -> None:
    base = Path(__file__).parents[2] / "models" / "base"
    codec = Codec.bundled(base)
    from mosaicmr.seeds import torch_generator
    from mosaicmr.simulation.anatomy import load_anatomy
    from mosaicmr.simulation.random_slice import simulate_slice

    one = simulate_slice(load_anatomy(), torch_generator(9, "unseen"), 128, 1.5)
    decoded = codec.decode(codec.encode(one.images[None])[0])[0]
    error = (decoded - one.images)[:, one.brain].abs().mean()
    spread = one.images[:, one.brain].std()
    assert error < 0.25 * spread
