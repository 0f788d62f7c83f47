"""Choice of the device and the precision of computations."""

import logging
from contextlib import AbstractContextManager

import torch

from mosaicmr.errors import InputError

logger = logging.getLogger(__name__)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str) -> torch.device:
    """Choose the device of config key `device`: 'auto' takes a GPU where there is one.

    Raises InputError if 'cuda' is requested and not available.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError(
            "device is 'cuda', but PyTorch finds no GPU here: use auto or cpu, or install PyTorch's CUDA build."
        )
    return torch.device("cuda" if name != "cpu" and available else "cpu")


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Choose the dtype of matrix products, for config key `base.precision`.

    'auto' is bfloat16 where the hardware has it, else float32. float16 on a CPU is float32, which is both faster and
    safer.
    """
    if precision == "auto":
        return torch.bfloat16 if _has_bfloat16(device) else torch.float32
    dtype = DTYPES[precision]
    return torch.float32 if dtype == torch.float16 and device.type == "cpu" else dtype


def choose_training_dtype(precision: str, device: torch.device) -> torch.dtype:
    """As `choose_dtype`, but float32 for float16, in which small gradients vanish unless the loss is scaled."""
    dtype = choose_dtype(precision, device)
    if dtype == torch.float16:
        logger.info("base.precision fp16 is for synthesis; training computes in fp32")
        return torch.float32
    return dtype


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager:
    """Compute matrix products and convolutions in `dtype`; float32 changes nothing."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Without these instructions a CPU emulates bfloat16, slower than float32.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return supported is not None and supported()
