"""How many threads of the CPU a fit uses."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from twotower.model import TwoTower

__all__ = ["using_threads"]

logger = logging.getLogger(__name__)

_SMALL = 1_000_000  # parameters: below, handing out the work of a step costs what a thread saves


@contextmanager
def using_threads(threads: int | Literal["auto"], model: TwoTower) -> Iterator[None]:
    """Set torch's number of threads for a fit, and restore it. Other kernels follow torch's number.

    Args:
        threads: A number, or `auto`: one for a model of few parameters that reads no histories, for
            any other as many as torch would use: the cores, the value of OMP_NUM_THREADS, or the
            share that a sweep's worker has.
        model: What is trained.
    """
    before = torch.get_num_threads()
    if threads == "auto":
        parameters = sum(parameter.numel() for parameter in model.parameters())
        threads = 1 if parameters < _SMALL and model.history_length is None else before
    torch.set_num_threads(threads)
    logger.info("trainer.threads: %d", threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
