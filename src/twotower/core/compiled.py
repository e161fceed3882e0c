"""Compiled functions: numba, imported when the first one is called, machine code cached on disk."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

__all__ = ["Linked", "compiled", "linked"]

logger = logging.getLogger(__name__)

_P = ParamSpec("_P")
_R = TypeVar("_R")

# Sums may be reordered, so that they use vector instructions; NaN and inf keep their meaning.
_FAST = {"reassoc", "contract", "nsz"}


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function of numbers and numpy arrays when it is first called.

    Importing a module of compiled functions does not import numba. Machine code is cached on disk
    (next to the source, or in NUMBA_CACHE_DIR), so that only the first run on a machine compiles.
    A compiled function runs on one thread, releases the GIL and must not call another one by name,
    whose changes the cache would not notice; see `linked`.
    """

    @functools.cache
    def machine_code() -> Callable[_P, _R]:
        return _jit(function)

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        return machine_code()(*args, **kwargs)

    return call


class Linked(Generic[_P, _R]):
    """A function that compiled functions take as an argument, and call by its address."""

    def __init__(self, function: Callable[_P, _R], signature: str) -> None:
        """Take a function and its signature in numba's notation."""
        self._function = function
        self._signature = signature
        self._called = compiled(function)
        functools.update_wrapper(self, function)

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Call the function from Python."""
        return self._called(*args, **kwargs)

    @functools.cached_property
    def address(self) -> Any:
        """The argument for compiled functions; its type depends on the signature alone."""
        import numba

        def compiler(function: Callable[..., Any], **options: Any) -> Any:
            return numba.cfunc(self._signature, **options)(function)

        return _address_type()(_cached(compiler, self._function))


@functools.cache
def _address_type() -> type[Any]:
    """Return the class of addresses, whose type numba finds without compiling anything."""
    from numba import typeof
    from numba.core.types import WrapperAddressProtocol
    from numba.extending import typeof_impl

    class Address(WrapperAddressProtocol):
        def __init__(self, function: Any) -> None:
            self._function = function
            self.type = typeof(function)  # type: ignore[no-untyped-call]

        def __wrapper_address__(self) -> int:
            return int(self._function.address)

        def signature(self) -> Any:
            return self.type.signature

    typeof_impl.register(Address)(lambda address, _: address.type)
    return Address


def linked(signature: str) -> Callable[[Callable[_P, _R]], Linked[_P, _R]]:
    """Compile a function so that other compiled ones can call it by its address.

    A compiled function that takes such functions is compiled once for all that have one signature,
    and its cached machine code contains none of theirs.

    Example:
        >>> import numpy as np
        >>> @linked("float64(float64)")
        ... def twice(x: float) -> float:
        ...     return 2 * x
        >>> @compiled
        ... def total(of: object, values: np.ndarray) -> float:
        ...     result = 0.0
        ...     for k in range(len(values)):
        ...         result += of(values[k])
        ...     return result
        >>> total(twice.address, np.array([1.0, 2.0]))
        6.0
    """
    return lambda function: Linked(function, signature)


def _jit(function: Callable[_P, _R]) -> Callable[_P, _R]:
    import numba

    jitted = _cached(functools.partial(numba.njit, nogil=True), function)
    folder = jitted.stats.cache_path  # None where no folder can be written
    if folder is None or not _is_cached(function, Path(folder)):
        _announce()
    return jitted  # type: ignore[no-any-return]


def _cached(compiler: Callable[..., Any], function: Callable[..., Any]) -> Any:
    options: dict[str, Any] = {"fastmath": _FAST, "error_model": "numpy"}
    try:
        return compiler(function, cache=True, **options)
    except RuntimeError:  # no folder for the cache can be written
        return compiler(function, **options)


def _is_cached(function: Callable[..., Any], folder: Path) -> bool:
    """Return whether the cache has machine code that is newer than the source."""
    code = function.__code__
    changed = Path(code.co_filename).stat().st_mtime
    indexes = folder.glob(f"*.{function.__qualname__}-{code.co_firstlineno}.*.nbi")
    return any(index.stat().st_mtime > changed for index in indexes)


@functools.cache  # once per process
def _announce() -> None:
    logger.info("compiling the training step for this machine: some seconds, the first time only")
