"""A generator for tests of permutations: every draw of signs, once."""

from __future__ import annotations

from typing import Any

import numpy as np


class EverySign(np.random.Generator):
    """Draws each of the 2^n signs of n users once, when asked for 2^n resamples."""

    def __init__(self, n_users: int) -> None:
        super().__init__(np.random.PCG64(0))
        self.n_users = n_users

    def integers(  # type: ignore[override]
        self, low: Any, high: Any = None, size: Any = None, **_: Any
    ) -> Any:
        n_bytes = -(-self.n_users // 8)
        assert size == (2**self.n_users, n_bytes)
        numbers = np.arange(2**self.n_users) << (8 * n_bytes - self.n_users)
        return np.stack([(numbers >> (8 * n)) & 255 for n in reversed(range(n_bytes))], 1).astype(
            np.uint8
        )
