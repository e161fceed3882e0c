"""Processes forked from one that has imported twotower and run nothing, which saves 10 s each.

A process that has run something must not be forked, since Polars would hang in the child.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

__all__ = ["begin"]

_PRELOADED = ["twotower.running.experiment", "twotower.reporting.run_page", "twotower.cli"]
_PRELOADED += ["twotower.tracking.mlflow_tracking", "twotower.baselines.popularity"]


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def begin(target: Callable[..., object], *arguments: Any) -> ForkServerProcess:
    """Start `target`, a function of a module, in a process of its own."""
    process = _context().Process(target=target, args=arguments, daemon=True)
    process.start()
    return process
