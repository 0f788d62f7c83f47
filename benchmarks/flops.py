"""Floating-point operations of the networks of config/paper.yaml for one slice, counted by PyTorch without computing.

python benchmarks/flops.py [--size 512] [--modalities 4]

Stable Diffusion 1.5 has its published sizes here and no weights (device `meta`): this takes seconds and downloads
nothing.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.diffusion.adapters import add_adapter, trainable_parameters
from mosaicmr.diffusion.conditioning import LAYOUT_CHANNELS
from mosaicmr.segmentation.segmenter import build_segmenter

DOWNSAMPLING, CHANNELS, TEXT = 8, 4, 768  # of Stable Diffusion 1.5
TOKENS = 231  # of its text encoder, whose three windows the longest prompts fill
WIDTHS = (128, 256, 512, 512)  # of its autoencoder
SEGMENTER, LABEL_SCHEME = (32, 64, 128, 256, 512), "brats2021"  # of config/paper.yaml


def teraflops(compute: Callable[[], object]) -> float:
    """Operations of a computation in 10^12; a multiplication with its addition counts as two."""
    with FlopCounterMode(display=False) as counter:
        compute()
    return counter.get_total_flops() / 1e12


def build_unet(modalities: int) -> UNet2DConditionModel:
    """The U-Net as an expert has it: the latents of all modalities and the layout go in, the latents come out."""
    latents = modalities * CHANNELS
    sizes = {"cross_attention_dim": TEXT, "in_channels": latents + LAYOUT_CHANNELS, "out_channels": latents}
    return UNet2DConditionModel(**sizes)


def build_autoencoder() -> AutoencoderKL:
    """The autoencoder, which sees one modality at a time as three equal colours."""
    kinds = {"down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4}
    return AutoencoderKL(**kinds, block_out_channels=WIDTHS, layers_per_block=2, latent_channels=CHANNELS)


def step(model: nn.Module, *inputs: torch.Tensor) -> float:
    """Operations forward and backward of what is trainable in a model."""
    return teraflops(lambda: first_of(model(*inputs)).sum().backward())


def first_of(output) -> torch.Tensor:
    """The tensor that a network of diffusers or MONAI returns."""
    return output if isinstance(output, torch.Tensor) else output[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="pixels of a slice's side")
    parser.add_argument("--modalities", type=int, default=4)
    parser.add_argument("--rank", type=int, default=32, help="of the experts' adapters")
    chosen = parser.parse_args()
    side = chosen.size // DOWNSAMPLING
    with torch.device("meta"):
        unet, autoencoder = build_unet(chosen.modalities), build_autoencoder()
        names = tuple(f"modality {number}" for number in range(chosen.modalities))
        segmenter = build_segmenter(SliceHeader(names, 1.0, LabelScheme.named(LABEL_SCHEME).classes), SEGMENTER, seed=0)
        noisy = torch.empty(1, unet.config.in_channels, side, side)
        pixels = torch.empty(1, 3, chosen.size, chosen.size)
        images = torch.empty(1, chosen.modalities, chosen.size, chosen.size)
        latents = torch.empty(1, CHANNELS, side, side)
        text, time = torch.empty(1, TOKENS, TEXT), torch.empty(1)
    with torch.no_grad():
        forward = teraflops(lambda: unet(noisy, time, text))
        encode = teraflops(lambda: autoencoder.encode(pixels)) * chosen.modalities
        decode = teraflops(lambda: autoencoder.decode(latents)) * chosen.modalities
    weights = sum(parameter.numel() for parameter in unet.parameters()) / 1e6
    full = step(unet, noisy, time, text)
    with torch.device("meta"):
        expert = add_adapter(unet, "lora", chosen.rank, seed=0, domain="whole")
    adapter = sum(parameter.numel() for parameter in trainable_parameters(expert).values()) / 1e6
    rows = {
        "U-Net forward": forward,
        "training step of an expert, all weights": full,
        "training step of an expert, adapter": step(expert, noisy, time, text),
        "encode, all modalities": encode,
        "decode, all modalities": decode,
        "training step of a segmenter": step(segmenter, images),
    }
    print(f"A slice of {chosen.modalities} modalities and {chosen.size} pixels; U-Net of {weights:.1f} M weights,")
    print(f"adapter of rank {chosen.rank} with {adapter:.1f} M weights. In TFLOP:")
    for name, operations in rows.items():
        print(f"{name:42}  {operations:6.2f}")


if __name__ == "__main__":
    main()
