"""Compiled functions: numba, imported when the first one is called, machine code cached on disk."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

__all__ = ["compiled"]

logger = logging.getLogger(__name__)

_P = ParamSpec("_P")
_R = TypeVar("_R")

# Sums may be reordered, so that they use vector instructions; NaN and inf keep their meaning.
_FAST = {"reassoc", "contract", "nsz"}


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function of numbers and numpy arrays when it is first called.

    Importing a module of compiled functions does not import numba. Machine code is cached on disk
    (next to the source, or in NUMBA_CACHE_DIR), so that only the first run on a machine compiles.
    A compiled function runs on one thread, releases the GIL and must not call another one, whose
    changes the cache would not notice.
    """

    @functools.cache
    def machine_code() -> Callable[_P, _R]:
        return _jit(function)

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        return machine_code()(*args, **kwargs)

    return call


def _jit(function: Callable[_P, _R]) -> Callable[_P, _R]:
    import numba

    options: dict[str, Any] = {"fastmath": _FAST, "error_model": "numpy", "nogil": True}
    try:
        jitted = numba.njit(function, cache=True, **options)
    except RuntimeError:  # no folder for the cache can be written
        _announce()
        return numba.njit(function, **options)  # type: ignore[no-any-return]
    if not _is_cached(function, Path(jitted.stats.cache_path)):
        _announce()
    return jitted  # type: ignore[no-any-return]


def _is_cached(function: Callable[..., Any], folder: Path) -> bool:
    """Return whether the cache has machine code that is newer than the source."""
    code = function.__code__
    changed = Path(code.co_filename).stat().st_mtime
    indexes = folder.glob(f"*.{function.__qualname__}-{code.co_firstlineno}.*.nbi")
    return any(index.stat().st_mtime > changed for index in indexes)


@functools.cache  # once per process
def _announce() -> None:
    logger.info("compiling the training step for this machine: some seconds, the first time only")
