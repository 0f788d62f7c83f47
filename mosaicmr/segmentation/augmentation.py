"""Classical augmentation, which a careful practitioner tries before synthetic data."""

from collections.abc import Callable

import torch
from monai.transforms import Compose, RandAdjustContrastd, RandAffined, RandFlipd, RandGaussianNoised

from mosaicmr.seeds import derive_seed

Augmentation = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]

ROTATION = 0.26  # radians, about 15 degrees
SCALING = 0.15  # of the size
SHIFT = 8.0  # mm
GAMMA = (0.7, 1.5)
NOISE = 0.05  # standard deviation at most, on intensities in [0, 1]


def classical_augmentation(pixel_size: float, seed: int, *labels: str | int) -> Augmentation:
    """Make the function that augments a batch: mirroring left and right, rotation, scaling, shift, gamma and noise.

    The function maps images float32 [n, M, H, W] in [0, 1] and labels int64 [n, H, W] to the same shapes and types; the
    background stays exactly 0. pixel_size is in mm. Its random state follows from the seed and the labels alone, and
    moves on with every batch.
    """
    both = ["image", "label"]
    transforms = Compose(
        [
            RandFlipd(both, prob=0.5, spatial_axis=1),
            RandAffined(
                both,
                prob=0.8,
                rotate_range=ROTATION,
                scale_range=SCALING,
                translate_range=SHIFT / pixel_size,
                mode=("bilinear", "nearest"),
                padding_mode="zeros",
            ),
            RandAdjustContrastd("image", prob=0.5, gamma=GAMMA),
            RandGaussianNoised("image", prob=0.5, std=NOISE),
        ]
    ).set_random_state(seed=derive_seed(seed, *labels) % 2**32)

    def augment(images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pairs = [
            _augment_slice(transforms, image, label[None].float()) for image, label in zip(images, labels, strict=True)
        ]
        return torch.stack([image for image, _ in pairs]), torch.stack([label for _, label in pairs])

    return augment


def _augment_slice(transforms: Compose, image: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    # The head goes through the geometry with the labels, so that noise and gamma can be kept out of the air around it.
    head = (image > 0).any(0, keepdim=True).float()
    moved = transforms({"image": image, "label": torch.cat([label, head])})
    label, head = moved["label"].as_tensor()
    image = moved["image"].as_tensor().clamp(0, 1) * head
    return image.float().contiguous(), label.round().long()
