"""The further processes of a run, which Lightning starts by the command of the first one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from pytorch_lightning import Trainer

from twotower.core.errors import ResourceError

__all__ = ["LostProcessError", "ended_on_error", "is_lost_connection"]

_SECONDS = 10  # for a process to close what it has open
_OF_GLOO = ("gloo", "Connection closed by peer", "Connection reset by peer", "Broken pipe")


class LostProcessError(ResourceError):
    """Another process of the run has ended, so that this one cannot continue."""


def is_lost_connection(error: RuntimeError) -> bool:
    """Return whether a collective operation failed because another process is not there."""
    return isinstance(error, torch.distributed.DistError) or any(
        text in str(error) for text in _OF_GLOO
    )


@contextmanager
def ended_on_error(trainer: Trainer) -> Iterator[None]:
    """End the further processes if this one raises.

    They would wait for it in vain, and Lightning would kill this one without a message, while it
    closes the tracked run, as soon as one of them has ended by an error.
    """
    try:
        yield
    except BaseException:
        started: list[subprocess.Popen[bytes]] = getattr(trainer.strategy.launcher, "procs", [])
        processes = started[:]
        started.clear()  # Lightning watches this list
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        raise
