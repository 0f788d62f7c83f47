"""The bundled base's U-Net, which receives the prompt's words on a tumour class at the pixels of that class.

Attention and a mean state leave it to the network to learn which words belong to which pixels and modality. After hours
of training on a CPU it had not learnt this (benchmarks/README.md, "Words and pixels"). So a small frozen reader finds
the words of each class and modality in the prompt's states (mosaicmr.pretraining.prompt_reader trains it). They are
laid over the class's pixels as further channels of the input, so that text acts where it applies, as in SpaText
(Avrahami et al., CVPR 2023).
"""

from collections.abc import Sequence

import torch
from diffusers.configuration_utils import register_to_config
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor
from torch.func import functional_call

from mosaicmr.diffusion.conditioning import LAYOUT_CHANNELS, class_fractions
from mosaicmr.diffusion.look_reader import LookReader, word_probabilities

MARKERS = 2  # tokens of an empty prompt: its beginning and its end
GAIN = 3.0  # of the channels, so that an optimiser with normalised steps learns to use them soon


class RegionalUNet(UNet2DConditionModel):
    """A UNet2DConditionModel with attention to the prompt, its mean state beside the timestep, and its looks on pixels.

    The sample is the noisy latents of `modalities` modalities and the 24 channels of the layout. `in_channels` counts
    also the looks' 5 channels for each modality, which the network adds itself. `reader` reads the prompts; before its
    training it finds that nothing was said.
    """

    @register_to_config
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        modalities: int,
        down_block_types: tuple[str, ...],
        up_block_types: tuple[str, ...],
        block_out_channels: tuple[int, ...],
        layers_per_block: int,
        cross_attention_dim: int,
        attention_head_dim: int,
        norm_num_groups: int,
    ) -> None:
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            down_block_types=down_block_types,
            up_block_types=up_block_types,
            block_out_channels=block_out_channels,
            layers_per_block=layers_per_block,
            cross_attention_dim=cross_attention_dim,
            class_embed_type="projection",
            projection_class_embeddings_input_dim=cross_attention_dim,
            attention_head_dim=attention_head_dim,
            norm_num_groups=norm_num_groups,
        )
        self.reader = LookReader(cross_attention_dim, modalities)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        *,
        class_labels: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        **options,
    ):
        """As in diffusers. encoder_attention_mask: [n, L], nonzero on tokens; None if all are."""
        words = self.read(encoder_hidden_states, encoder_attention_mask)
        maps = look_maps(words, sample[:, -LAYOUT_CHANNELS:]).to(sample.dtype)
        return super().forward(
            torch.cat([sample, maps], 1),
            timestep,
            encoder_hidden_states,
            class_labels=class_labels,
            encoder_attention_mask=encoder_attention_mask,
            **options,
        )

    def keep_modalities(self, kept: Sequence[int]) -> None:
        """Leave only these modalities' answers to the reader, in this order.

        Changes the network's own configuration, but not its convolutions.
        """
        self.reader.keep_modalities(kept)
        self.register_to_config(modalities=len(kept))

    def read(self, states: Tensor, mask: Tensor | None) -> Tensor:
        """The probability float32 [n, T, M, 5] of each word on a tumour class in a modality, by the frozen reader."""
        mask = torch.ones_like(states[..., 0]) if mask is None else mask
        # In half precision the attention of the reader would blur.
        with torch.autocast(states.device.type, enabled=False):
            weights = {name: weight.float() for name, weight in self.reader.named_buffers()}
            words = word_probabilities(functional_call(self.reader, weights, (states.float(), mask)))
        # The reader never saw an empty prompt, and would find words in it.
        return words * ((mask != 0).sum(1) > MARKERS)[:, None, None, None]


def look_maps(words: Tensor, layout: Tensor) -> Tensor:
    """Channels [n, 5 M, h, w] that carry words [n, T, M, 5] on each class's pixels of a layout [n, 24, h, w]."""
    classes = class_fractions(layout).to(words.dtype)
    return GAIN * torch.einsum("ntmk,nthw->nmkhw", words, classes).flatten(1, 2)
