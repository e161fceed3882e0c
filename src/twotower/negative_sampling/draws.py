"""Random numbers on the CPU: those of torch, several times as fast."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator

from twotower.core.compiled import compiled

__all__ = ["random_below", "random_words", "valid_"]

Array = NDArray[Any]

_WORDS = 624  # of the state of a Mersenne Twister
_STATE_BYTES = 5056  # of a CPU generator of torch
_LEFT, _NEXT, _FIRST = slice(8, 12), slice(16, 24), slice(24, 24 + 8 * _WORDS)
_MOST = 2**28  # from which on torch takes two words for an integer


def random_words(n: int, generator: Generator) -> Array | None:
    """Return the next n words of a CPU generator, and advance it by them.

    The generator is the Mersenne Twister of Matsumoto and Nishimura 1998. torch takes a word for an
    integer below 2^28, and two for a float64.

    Args:
        n: How many.
        generator: On the CPU.

    Returns:
        [n] uint32; None if the state of this version's generators is not known.
    """
    drawn = np.empty(n, np.uint32)
    if n == 0:
        return drawn
    state = generator.get_state()
    if len(state) != _STATE_BYTES:
        return None
    content = state.numpy()
    words = content[_FIRST].view(np.uint64).astype(np.uint32)
    position = content[_NEXT].view(np.uint64)
    left = content[_LEFT].view(np.int32)
    position[0] = _twist(words, _WORDS if left[0] == 1 else int(position[0]), drawn)
    left[0] = _WORDS + 1 - position[0]
    content[_FIRST].view(np.uint64)[:] = words
    generator.set_state(state)
    return drawn


def random_below(n: int, shape: tuple[int, ...], generator: Generator) -> torch.Tensor:
    """Return uniform int64 from 0 to n - 1: what `torch.randint` would draw.

    Args:
        n: 1 or more.
        shape: Shape of the result.
        generator: On any device, which is that of the result.
    """
    words = None
    if generator.device.type == "cpu" and n < _MOST:
        words = random_words(int(np.prod(shape)), generator)
    if words is None:
        return torch.randint(n, shape, generator=generator, device=generator.device)
    drawn = torch.empty(shape, dtype=torch.int64)
    _remainders(words, n, drawn.view(-1).numpy())
    return drawn


def valid_(items: torch.Tensor, positives: torch.Tensor, n_items: int) -> torch.Tensor:
    """Return which negatives are valid; replace those past the last item by it.

    Args:
        items: [B, N] int64, contiguous.
        positives: [B] int64.
        n_items: How many items there are.

    Returns:
        [B, N] bool: False for the row's positive, and for those that were past the last item.
    """
    if items.device.type != "cpu":
        valid = (items != positives[:, None]) & (items < n_items)
        items.clamp_(max=n_items - 1)
        return valid
    valid = torch.empty(items.shape, dtype=torch.bool)
    _mark_valid(items.numpy(), positives.numpy(), n_items, valid.numpy())
    return valid


@compiled
def _mark_valid(items: Array, positives: Array, n_items: int, valid: Array) -> None:
    for b in range(len(items)):
        for n in range(items.shape[1]):
            item = items[b, n]
            valid[b, n] = item != positives[b] and item < n_items
            items[b, n] = min(item, n_items - 1)


@compiled
def _twist(state: Array, position: int, drawn: Array) -> int:
    """Draw words from a state, of which `position` are used; return how many are used then."""
    upper, lower = np.uint32(0x80000000), np.uint32(0x7FFFFFFF)
    one, matrix = np.uint32(1), np.uint32(0x9908B0DF)
    done = 0
    while done < len(drawn):
        if position == 624:
            for k in range(227):
                y = (state[k] & upper) | (state[k + 1] & lower)
                state[k] = state[k + 397] ^ (y >> one) ^ (matrix * (y & one))
            for k in range(227, 623):
                y = (state[k] & upper) | (state[k + 1] & lower)
                state[k] = state[k - 227] ^ (y >> one) ^ (matrix * (y & one))
            y = (state[623] & upper) | (state[0] & lower)
            state[623] = state[396] ^ (y >> one) ^ (matrix * (y & one))
            position = 0
        count = min(624 - position, len(drawn) - done)
        for k in range(count):
            y = state[position + k]
            y ^= y >> np.uint32(11)
            y ^= (y << np.uint32(7)) & np.uint32(0x9D2C5680)
            y ^= (y << np.uint32(15)) & np.uint32(0xEFC60000)
            drawn[done + k] = y ^ (y >> np.uint32(18))
        position += count
        done += count
    return position


@compiled
def _remainders(words: Array, n: int, remainders: Array) -> None:
    inverse = 1 / n
    for k in range(len(words)):
        # By a float64 product, which vector instructions have; it is off by one at most.
        word = np.int64(words[k])
        rest = word - np.int64(word * inverse) * n
        rest = rest + n if rest < 0 else rest
        remainders[k] = rest - n if rest >= n else rest
