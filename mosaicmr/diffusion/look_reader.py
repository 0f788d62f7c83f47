"""A small network that reads, in a prompt's states, how each tumour class looks in each modality.

A phrase such as 'T2 bright homogeneous' belongs to the class named some words before it. The states that a general text
encoder gives to its words show this only faintly. One layer of attention that knows distances finds the name.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mosaicmr.cohort.labels import TUMOUR_CLASSES
from mosaicmr.prompts.looks import SHADES, TEXTURES

LOOKS = len(SHADES) + len(TEXTURES)  # the words
QUESTIONS = 2  # of brightness and of texture
SIZES = (
    1 + len(SHADES),
    1 + len(TEXTURES),
)  # number of answers to each question; the first is that nothing was said
ANSWERS = sum(SIZES)
UNSAID = (0, SIZES[0])  # the places of these first answers
SURELY = 10.0  # a logit
FEATURES = 64
SLOPES = (0.5, 0.1, 0.02, 0.0)  # by which each head's attention falls with a token of distance
MASKED = -1e9  # a score


class LookReader(nn.Module):
    """Find, in the states of a prompt, its words on T = 4 tumour classes in M modalities.

    All weights are buffers, so that the training of a U-Net leaves its reader as it is (`pretraining.prompt_reader`
    trains a reader). A new reader answers that nothing was said. The attention falls with the distance of two tokens
    (Press et al., ICLR 2022, section 3, in both directions).
    width: D of the text encoder's states.
    """

    def __init__(self, width: int, modalities: int) -> None:
        super().__init__()
        kinds = len(TUMOUR_CLASSES), modalities
        shapes = {
            "projection": (FEATURES, width),
            "attention": (3 * FEATURES, FEATURES),
            "mixture": (FEATURES, FEATURES),
            "queries": (*kinds, QUESTIONS, FEATURES),
            "values": (*kinds, ANSWERS, FEATURES),
            "bias": (*kinds, ANSWERS),
        }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))
        self.bias[..., UNSAID] = SURELY

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Logits [n, T, M, 7]: brightness not said, dark, intermediate, bright; texture not said, homogeneous,
        heterogeneous.

        states: float [n, L, D]; mask: [n, L], nonzero on tokens.
        """
        hidden = MASKED * (mask == 0).to(states.dtype)
        features = F.linear(states, self.projection)
        features = F.layer_norm(features + self._mix(features, hidden), (FEATURES,))
        scores = torch.einsum("nld,tmqd->qntml", features, self.queries) + hidden[:, None, None]
        attended = torch.einsum("qntml,nld->qntmd", scores.softmax(-1), features)
        answers = zip(attended, self.values.split(SIZES, 2), strict=True)
        return torch.cat([torch.einsum("ntmd,tmad->ntma", *answer) for answer in answers], -1) + self.bias

    def _mix(self, features: Tensor, hidden: Tensor) -> Tensor:
        """Attention of all tokens to each other; features [n, L, 64], hidden [n, L]."""
        count, length, width = features.shape
        parts = F.linear(F.layer_norm(features, (width,)), self.attention)
        queries, keys, values = parts.unflatten(-1, (3, len(SLOPES), -1)).permute(2, 0, 3, 1, 4)
        places = torch.arange(length, device=features.device, dtype=features.dtype)
        distances = (places[:, None] - places).abs()
        scores = hidden[:, None, None] - features.new_tensor(SLOPES)[:, None, None] * distances
        mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=scores)
        return F.linear(mixed.transpose(1, 2).reshape(count, length, width), self.mixture)

    def keep_modalities(self, kept: Sequence[int]) -> None:
        """Leave only the answers on these modalities, in this order."""
        for name in ("queries", "values", "bias"):
            self.register_buffer(name, getattr(self, name)[:, list(kept)])


def word_probabilities(logits: Tensor) -> Tensor:
    """The probabilities [..., 5] of the words in SHADES and TEXTURES, of logits [..., 7] of a LookReader."""
    brightness, texture = logits.split(SIZES, -1)
    return torch.cat([brightness.softmax(-1)[..., 1:], texture.softmax(-1)[..., 1:]], -1)
