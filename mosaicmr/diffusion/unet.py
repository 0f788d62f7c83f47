"""Fit a pretrained U-Net to a cohort's modalities, and call it.

The U-Net's input is the noisy latents of the modalities, one block of channels after the other, then the layout; its
output is the prediction for those latents.
"""

from collections.abc import Sequence

import torch
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from mosaicmr.diffusion.conditioning import LAYOUT_CHANNELS
from mosaicmr.diffusion.look_reader import LOOKS
from mosaicmr.diffusion.regional_unet import RegionalUNet
from mosaicmr.errors import InputError


def select_modalities(
    unet: UNet2DConditionModel, known: Sequence[str], wanted: Sequence[str], channels: int
) -> UNet2DConditionModel:
    """Keep the channels of the wanted modalities (in that order) and of the layout; changes and returns `unet`.

    A RegionalUNet keeps the channels of their looks too, and its reader their answers. In pretraining an absent
    modality has all-zero latents, so leaving its channels out computes the same, for prompts that say nothing of it.
    known: the modalities of the U-Net in the order of its channels, `channels` latent channels each. Raises InputError
    if a wanted modality is not known.
    """
    for modality in wanted:
        if modality not in known:
            raise InputError(
                f"cohort.modalities has {modality}, which the base model does not know: choose from {', '.join(known)}."
            )
    regional = isinstance(unet, RegionalUNet)
    latents, looks = len(known) * channels, LOOKS * len(known) if regional else 0
    expected = latents + LAYOUT_CHANNELS + looks
    if (unet.config.in_channels, unet.config.out_channels) != (expected, latents):
        raise InputError(
            f"The base U-Net has {unet.config.in_channels} input and {unet.config.out_channels} output channels: "
            f"expected {expected} and {latents}; restore the bundled base."
        )
    kept = [known.index(modality) for modality in wanted]
    rows = [modality * channels + channel for modality in kept for channel in range(channels)]
    inputs = [*rows, *range(latents, latents + LAYOUT_CHANNELS)]
    if regional:
        unet.keep_modalities(kept)
        first = latents + LAYOUT_CHANNELS
        inputs += [first + modality * LOOKS + look for modality in kept for look in range(LOOKS)]
    return _with_ends(unet, unet.conv_in.weight[:, inputs], unet.conv_out.weight[rows], unet.conv_out.bias[rows])


def inflate(unet: UNet2DConditionModel, modalities: int) -> UNet2DConditionModel:
    """Give a one-image U-Net the channels of several modalities and of the layout; changes and returns `unet`.

    Every modality gets the pretrained input weights divided by their number, so modalities with the same latents give
    the pretrained activations, and every modality gets the pretrained output. The layout starts at zero weight, as in
    ControlNet (Zhang et al. 2023, eq. 2), so that it changes nothing before training. Raises InputError for a U-Net
    that is not Stable Diffusion 1 or 2 (an inpainting model, or SDXL).
    """
    config = unet.config
    if config.in_channels != config.out_channels or config.addition_embed_type or config.class_embed_type:
        raise InputError(
            f"The U-Net of base.model has {config.in_channels} input and {config.out_channels} output channels and "
            f"additional embedding '{config.addition_embed_type}': expected as many inputs as outputs and none, as in "
            "Stable Diffusion 1 and 2; name such a model."
        )
    weight = unet.conv_in.weight
    layout = weight.new_zeros(weight.shape[0], LAYOUT_CHANNELS, *weight.shape[2:])
    return _with_ends(
        unet,
        torch.cat([weight / modalities] * modalities + [layout], 1),
        torch.cat([unet.conv_out.weight] * modalities),
        torch.cat([unet.conv_out.bias] * modalities),
    )


@torch.no_grad()
def _with_ends(unet: UNet2DConditionModel, first: Tensor, last: Tensor, last_bias: Tensor) -> UNet2DConditionModel:
    unet.conv_in = _convolution(unet.conv_in, first, unet.conv_in.bias)
    unet.conv_out = _convolution(unet.conv_out, last, last_bias)
    unet.register_to_config(in_channels=first.shape[1], out_channels=last.shape[0])
    return unet


def _convolution(like: nn.Conv2d, weight: Tensor, bias: Tensor) -> nn.Conv2d:
    convolution = nn.Conv2d(weight.shape[1], weight.shape[0], like.kernel_size, padding=like.padding)
    convolution.weight.copy_(weight)
    convolution.bias.copy_(bias)
    return convolution


def choose_attention(unet: UNet2DConditionModel, device: torch.device, dtype: torch.dtype) -> None:
    """Choose the attention that trains fastest; the choice changes nothing else.

    On a CPU in bfloat16, the gradient of PyTorch's fused attention alone costs as much as all else in a training step,
    and plain matrix products halve the step's time. In float32, on a GPU and in inference, fused attention is
    faster.
    """
    if device.type == "cpu" and dtype == torch.bfloat16:
        unet.set_attn_processor(AttnProcessor())


def predict(
    unet: nn.Module, latents: Tensor, timesteps: Tensor, embeddings: Tensor, mask: Tensor, layout: Tensor
) -> Tensor:
    """The U-Net's prediction float [n, C, h, w].

    latents: [n, C, h, w]; timesteps: int64 [n]; embeddings: [n, L, D]; mask: [n, L], nonzero on tokens; layout:
    [n, 24, h, w], all zeros for none.
    """
    # Embeddings have room for longer prompts. Without it, short prompts cost and give the same, whatever that room is.
    longest = int(mask.any(0).nonzero().max()) + 1
    embeddings, mask = embeddings[:, :longest], mask[:, :longest]
    pooled = pool_prompt(embeddings, mask).to(latents.dtype) if unet.config.class_embed_type else None
    # A mask that hides nothing would only keep attention from its fastest kernels.
    hidden = None if bool(mask.all()) else mask.to(latents.dtype)
    return unet(
        torch.cat([latents, layout.to(latents.dtype)], 1),
        timesteps,
        encoder_hidden_states=embeddings.to(latents.dtype),
        encoder_attention_mask=hidden,
        class_labels=pooled,
    ).sample


def pool_prompt(embeddings: Tensor, mask: Tensor) -> Tensor:
    """The mean state [n, D] of the tokens of prompts, embeddings [n, L, D] with mask [n, L]."""
    weights = (mask != 0).to(embeddings.dtype)[..., None]
    return (embeddings * weights).sum(1) / weights.sum(1).clamp_min(1)
