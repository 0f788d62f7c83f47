"""Tiny models with random weights, made on the spot in the two formats that a base model may have.

python tests/support/tiny_models.py stable-diffusion FOLDER    (or: base FOLDER)
"""

import argparse
import hashlib
import json
from pathlib import Path

import diffusers
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from mosaicmr.diffusion.look_reader import LOOKS
from mosaicmr.diffusion.model_files import seal_facts
from mosaicmr.diffusion.regional_unet import RegionalUNet

MODALITIES = ["FLAIR", "T1", "T1ce", "T2"]
LATENT_CHANNELS = 2  # of the tiny bundled base, for one modality
LAYOUT_CHANNELS = 24
SEED = 0
TINY = {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "attention_head_dim": 4,
}


def make_tiny_base(folder: str | Path) -> Path:
    """A base in the bundled format: downsampling 4, two latent channels a modality, four modalities."""
    folder = Path(folder)
    torch.manual_seed(SEED)
    _tiny_autoencoder(image_channels=4, latent_channels=LATENT_CHANNELS).save_pretrained(folder / "vae")
    latents = len(MODALITIES) * LATENT_CHANNELS
    unet = RegionalUNet(
        in_channels=latents + LAYOUT_CHANNELS + LOOKS * len(MODALITIES),
        out_channels=latents,
        modalities=len(MODALITIES),
        cross_attention_dim=384,
        **TINY,
    )
    for name, weights in unet.reader.named_buffers():
        if name != "bias":
            weights.normal_(std=0.1)
    unet.half().save_pretrained(folder / "unet")
    _noise_schedule().save_pretrained(folder / "scheduler")
    facts = {
        "modalities": MODALITIES,
        "latent_channels": LATENT_CHANNELS,
        "pixel_unshuffle": 2,
        "layout_channels": LAYOUT_CHANNELS,
        "latent_mean": [0.1, -0.1],
        "latent_std": [0.9, 1.1],
        # The mean of a 4x4 patch, and how its rows rise from left to right.
        "components": [[0.25] * 16, [-0.3354, -0.1118, 0.1118, 0.3354] * 4],
        "deviations": [1.0, 0.1],
        "looks": [
            {"tumour_class": tumour_class, "modality": modality, "bounds": [0.3, 0.6, 0.1]}
            for tumour_class in (1, 2, 3)
            for modality in MODALITIES
        ],
        "text_encoder": "all-MiniLM-L6-v2",
        "sha256": {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }
    (folder / "mosaicmr.json").write_text(json.dumps(seal_facts(facts), indent=2))
    return folder


def make_tiny_stable_diffusion(folder: str | Path) -> Path:
    """A Stable Diffusion pipeline saved by diffusers: downsampling 2, four latent channels, CLIP for text."""
    import transformers
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
    from transformers import CLIPTextConfig, CLIPTextModel

    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    folder = Path(folder)
    torch.manual_seed(SEED)
    tokenizer = _make_tiny_tokenizer(folder / "tokenizer")
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    pipeline = StableDiffusionPipeline(
        vae=_tiny_autoencoder(image_channels=3, latent_channels=4),
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=tiny_unet(4, 4, text_width=32),
        # Published models come with a scheduler for sampling, not with that for training.
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(folder, safe_serialization=True)
    (folder / "tokenizer" / "tokenizer.json").unlink(missing_ok=True)  # published models have only the two files below
    return folder


def tiny_unet(inputs: int, outputs: int, text_width: int) -> UNet2DConditionModel:
    """A U-Net as Stable Diffusion's."""
    return UNet2DConditionModel(
        sample_size=8, in_channels=inputs, out_channels=outputs, cross_attention_dim=text_width, **TINY
    )


def _tiny_autoencoder(image_channels: int, latent_channels: int) -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=image_channels,
        out_channels=image_channels,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        layers_per_block=1,
        latent_channels=latent_channels,
        norm_num_groups=4,
        mid_block_add_attention=False,
    )


def _noise_schedule() -> DDPMScheduler:
    return DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
    )


def _make_tiny_tokenizer(folder: Path):
    """CLIP's byte-pair tokenizer with a vocabulary of single characters: every text has tokens, if many."""
    from transformers import CLIPTokenizer

    characters = [chr(code) for code in range(33, 127)]
    tokens = [*characters, *(f"{character}</w>" for character in characters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "<|endoftext|>"})
    )
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


if __name__ == "__main__":
    makers = {"base": make_tiny_base, "stable-diffusion": make_tiny_stable_diffusion}
    parser = argparse.ArgumentParser(description="Make a tiny model with random weights.")
    parser.add_argument("kind", choices=makers)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    print(makers[arguments.kind](arguments.folder))
