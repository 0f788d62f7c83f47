"""The Inception network of the FID, from a local file that is checked before anything in it is read."""

import hashlib
import io
from pathlib import Path

import numpy as np
import torch

from mosaicmr.errors import InputError
from mosaicmr.evaluation.features import features_of_grey

# NVIDIA's TorchScript translation of the TensorFlow network of Heusel et al. 2017, the file that StyleGAN, clean-fid
# and k-diffusion use. TorchScript can run code, so no other file is ever loaded.
INCEPTION_NAME = "inception-2015-12-05.pt"
INCEPTION_SHA256 = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"
BATCH = 8


def load_inception(path: str | Path, device: str = "cpu") -> torch.jit.ScriptModule:
    """Load the network from `path`, the file inception-2015-12-05.pt.

    Raises InputError where the file is missing or its SHA-256 is not `INCEPTION_SHA256`.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"evaluation.inception_weights names {path}, which cannot be read ({error.strerror}): give a local copy of "
            f"{INCEPTION_NAME} or null."
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != INCEPTION_SHA256:
        raise InputError(
            f"evaluation.inception_weights names {path}, whose SHA-256 is {digest} where {INCEPTION_NAME} has "
            f"{INCEPTION_SHA256}: give that file or null."
        )
    return torch.jit.load(io.BytesIO(content), map_location=device).eval()


def inception_features(network: torch.nn.Module, images: np.ndarray, device: str = "cpu") -> np.ndarray:
    """Pool-3 features of every modality of every slice as an 8-bit grey image, as the FID defines them.

    `images` [n, M, H, W] in [0, 1]; returns float32 [n, M, 2048]. The network resizes to 299 pixels itself.
    """

    def embed(grey: torch.Tensor) -> torch.Tensor:
        bytes_of_grey = (grey * 255).round().clamp(0, 255).to(torch.uint8)
        return network(bytes_of_grey.expand(-1, 3, -1, -1).contiguous(), return_features=True)

    return features_of_grey(embed, images, BATCH, device)
