"""The frame around every stage's work: logging, threads, determinism, and errors that a user can read."""

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from mosaicmr.errors import InputError

logger = logging.getLogger("mosaicmr")

PROGRESS_INTERVAL = 10.0  # seconds
INPUT_ERROR = "error: "  # stands before the sentence of an InputError, so that the end of a run finds it in the log


@contextlib.contextmanager
def stage(log: str | Path, threads: int = 1) -> Iterator[None]:
    """Run a stage: log to `log` and to the terminal, compute with `threads` threads, end bad input with one sentence.

    An InputError is printed without a traceback and ends the process with code 1; any other exception is written to
    the log with its traceback and raised.
    """
    _log_to(Path(log))
    _use_threads(threads)
    try:
        yield
    except InputError as error:
        logger.error("%s%s", INPUT_ERROR, error)
        sys.exit(1)
    except Exception:
        logger.exception("failed")
        raise


def progress(items: Iterable, total: int, what: str) -> Iterator:
    """Yield `items`, logging every ten seconds how many of `total` are done and about how long the rest will take."""
    start = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - last >= PROGRESS_INTERVAL:
            last = now
            remaining = (now - start) / done * (total - done)
            logger.info("%s: %d of %d, about %.0f s left", what, done, total, remaining)
        yield item
    logger.info("%s: %d done in %.1f s", what, total, time.monotonic() - start)


def _log_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    form = logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S")
    for handler in (logging.FileHandler(path, mode="w", encoding="utf-8"), logging.StreamHandler(sys.stderr)):
        handler.setFormatter(form)
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logging.captureWarnings(True)


def _use_threads(threads: int) -> None:
    # Set before NumPy's and PyTorch's pools start where possible; a stage of a workflow shares its machine with others.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(threads)
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True, warn_only=True)
