"""The batch of one training step on a cohort's slices.

Every random choice of a step comes from a generator of that step alone, so that a training that resumes after a kill
sees the batches that it would have seen.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mosaicmr.diffusion.conditioning import encode_layout
from mosaicmr.seeds import torch_generator
from mosaicmr.training.loop import Plan
from mosaicmr.training.training_set import TrainingSlices

WARMUP = 0.1, 100  # the learning rate rises over this share of the steps, at most over so many steps


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(ABC):
    """Settings of every training on a cohort's slices.

    prompt_dropout, layout_dropout: probabilities. checkpoint_every: steps.
    """

    section: ClassVar[str]  # of the configuration

    seed: int
    steps: int
    batch_size: int
    learning_rate: float
    prompt_dropout: float
    layout_dropout: float
    checkpoint_every: int

    @property
    def plan(self) -> Plan:
        """Length and learning rate of the training."""
        return Plan(
            steps=self.steps,
            learning_rate=self.learning_rate,
            warmup=max(1, min(WARMUP[1], round(WARMUP[0] * self.steps))),
            rate_key=f"{self.section}.learning_rate",
            checkpoint_every=self.checkpoint_every,
        )

    @property
    @abstractmethod
    def title(self) -> str:
        """The network in training, in words."""

    @property
    @abstractmethod
    def stream(self) -> tuple[str, ...]:
        """Names of the random choices; no other training has the same."""

    @abstractmethod
    def loss_weights(self, domains: Tensor, downsampling: int) -> Tensor:
        """Weight of each latent in the loss, float32 [b, 1, h, w], of domain maps uint8 [b, H, W].

        downsampling: H / h.
        """


@dataclass(frozen=True, kw_only=True)
class ExpertSettings(TrainingSettings):
    """Config keys `experts.*`, for one expert.

    domain: a domain's name, or 'whole'; domain_id: its id, None for the whole slice. context_weight: weight in the loss
    of pixels outside the domain, where those inside have 1.
    """

    section: ClassVar[str] = "experts"

    domain: str
    domain_id: int | None
    context_weight: float
    method: str
    rank: int

    @property
    def title(self) -> str:
        """The network in training, in words."""
        return f"the expert '{self.domain}'"

    @property
    def stream(self) -> tuple[str, ...]:
        """Names of the random choices: each expert has its own."""
        return "expert", self.domain

    def loss_weights(self, domains: Tensor, downsampling: int) -> Tensor:
        """The share of a latent's pixels in the domain, and `context_weight` elsewhere; 1 for whole slices."""
        if self.domain_id is None:
            return even_weights(domains, downsampling)
        inside = F.avg_pool2d((domains == self.domain_id).float()[:, None], downsampling)
        return inside + self.context_weight * (1 - inside)


def even_weights(domains: Tensor, downsampling: int) -> Tensor:
    """The weight 1 for each latent, float32 [b, 1, h, w], of domain maps uint8 [b, H, W]; downsampling: H / h."""
    return torch.ones(domains.shape[0], 1, domains.shape[1] // downsampling, domains.shape[2] // downsampling)


@dataclass(frozen=True)
class Batch:
    """The examples of one step.

    latents, noise: float32 [b, C, h, w]; timesteps: int64 [b]; embeddings: float32 [b, L, D]; mask: uint8 [b, L];
    layout: float32 [b, 24, h, w]; weights: float32 [b, 1, h, w], of the loss.
    """

    latents: Tensor
    noise: Tensor
    timesteps: Tensor
    embeddings: Tensor
    mask: Tensor
    layout: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        return Batch(**{name: tensor.to(device) for name, tensor in vars(self).items()})


def draw_batch(slices: TrainingSlices, settings: TrainingSettings, timesteps: int, step: int) -> Batch:
    """The batch of one step, which depends on the seed, the training and the step alone.

    Slices are drawn with replacement, each with one of its prompts. The timesteps of a batch are spread over
    0..timesteps-1, one in each b-th part, which makes the loss less noisy (Kingma et al. 2021, section I.1). Dropped
    prompts become the empty prompt, dropped layouts zeros.
    """
    generator = torch_generator(settings.seed, *settings.stream, step)
    size = settings.batch_size
    chosen = torch.randint(len(slices), (size,), generator=generator).numpy()
    spread = (torch.arange(size) + torch.rand(size, generator=generator)) / size
    # One draw for both, because guidance asks for the model without prompt and layout at once.
    kept = torch.rand(size, generator=generator) >= torch.tensor([[settings.prompt_dropout], [settings.layout_dropout]])
    latents = torch.from_numpy(slices.mean[chosen].astype(np.float32))
    noise = torch.randn(latents.shape, generator=generator)
    if slices.std is not None:
        std = torch.from_numpy(slices.std[chosen].astype(np.float32))
        latents = latents + std * torch.randn(latents.shape, generator=generator)
    domains = torch.from_numpy(slices.domains[chosen])
    which = torch.randint(slices.prompts.shape[1], (size,), generator=generator).numpy()
    prompts = np.where(kept[0].numpy(), slices.prompts[chosen, which], 0)
    layout = encode_layout(domains, list(slices.tumour_classes), slices.healthy, slices.downsampling)
    return Batch(
        latents=latents,
        noise=noise,
        timesteps=(spread * timesteps).long().clamp(max=timesteps - 1),
        embeddings=torch.from_numpy(slices.embeddings[prompts].astype(np.float32)),
        mask=torch.from_numpy(slices.mask[prompts]),
        layout=layout * kept[1].reshape(-1, 1, 1, 1),
        weights=settings.loss_weights(domains, slices.downsampling),
    )
