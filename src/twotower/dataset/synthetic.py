"""Made-up interactions with a taste behind them that a good model can find again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from twotower.core.component import component
from twotower.core.errors import ConfigError
from twotower.dataset.canonical import interactions
from twotower.types import ITEM, RATING, TIMESTAMP, USER, Interactions

Floats = NDArray[np.float32]

_START = np.datetime64("2024-01-01", "us")
_APART = np.timedelta64(60, "s")
_ROWS_AT_ONCE = 16_384
_DENSEST = 0.5


@dataclass(frozen=True)
class Truth:
    """What the interactions were drawn from.

    users: [n_users, latent_dim] and items: [n_items, latent_dim]; the affinity of a pair is their
        dot product, in standard deviations.
    exposure: [n_items] probability that an item is shown to a user.
    """

    users: Floats
    items: Floats
    exposure: NDArray[np.float64]


@component
@dataclass(frozen=True)
class Synthetic:
    """Users who see items by popularity and choose among them by taste.

    For each interaction `n_candidates` items come up with probabilities that fall with the power
    `popularity_exponent` of an item's rank, and the user takes one of them by a softmax of
    affinity / `temperature`. A user takes an item once.
    """

    n_users: PositiveInt
    n_items: PositiveInt
    n_interactions: PositiveInt
    latent_dim: PositiveInt
    popularity_exponent: NonNegativeFloat
    n_candidates: PositiveInt
    temperature: PositiveFloat
    seed: NonNegativeInt

    def load(self) -> Interactions:
        """Draw the log; raise ConfigError if there are not that many distinct pairs."""
        if self.n_interactions > _DENSEST * self.n_users * self.n_items:
            raise ConfigError(
                f"dataset.n_interactions is {self.n_interactions}, more than half of the "
                f"{self.n_users} x {self.n_items} pairs; lower it, or raise dataset.n_users or "
                "dataset.n_items"
            )
        truth = self.truth()
        users, items = self._pairs(truth)
        noise = self._generator(2).standard_normal(len(users), dtype=np.float32)
        affinity = np.einsum("nd,nd->n", truth.users[users], truth.items[items])
        log = pl.DataFrame(
            {
                USER: users,
                ITEM: items,
                RATING: np.clip(np.rint(3.0 + affinity + 0.5 * noise), 1, 5).astype(np.float64),
                TIMESTAMP: _START + np.arange(len(users)) * _APART,
            },
            schema_overrides={TIMESTAMP: pl.Datetime("us")},
        )
        return interactions(
            log=log,
            users=_features(truth.users, USER, "segment"),
            items=_features(truth.items, ITEM, "category").with_columns(
                title="Item " + pl.col(ITEM).cast(pl.String)
            ),
            test=None,
            origin=f"drawn with dataset.seed={self.seed}",
        )

    def truth(self) -> Truth:
        """Return the factors and exposures behind the log, the same for one seed."""
        generator = self._generator(0)
        shape = (self.n_users + self.n_items, self.latent_dim)
        factors = generator.standard_normal(shape, dtype=np.float32) / self.latent_dim**0.25
        weights = generator.permutation(np.arange(1, self.n_items + 1)) ** -self.popularity_exponent
        return Truth(factors[: self.n_users], factors[self.n_users :], weights / weights.sum())

    def _generator(self, stream: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.seed, stream]))

    def _pairs(self, truth: Truth) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return [n_interactions] users and items, distinct pairs in the order drawn."""
        generator = self._generator(1)
        activity = np.cumsum(generator.gamma(1.0, size=self.n_users) + 0.1)
        pairs = np.empty(0, dtype=np.int64)
        while (missing := self.n_interactions - len(pairs)) > 0:
            drawn = missing + missing // 4 + 64
            spots = generator.random(drawn) * activity[-1]
            users = np.searchsorted(activity, spots, side="right")
            items = self._choices(truth, users, generator)
            known = len(pairs)
            pairs = np.concatenate([pairs, users * self.n_items + items])
            _, first = np.unique(pairs, return_index=True)
            pairs = pairs[np.sort(first)]
            if len(pairs) - known < drawn / 1000:
                raise ConfigError(
                    f"dataset.n_interactions: after {len(pairs)} distinct pairs hardly any new one "
                    "comes up; lower it, or dataset.popularity_exponent"
                )
        pairs = pairs[: self.n_interactions]
        return pairs // self.n_items, pairs % self.n_items

    def _choices(
        self, truth: Truth, users: NDArray[np.int64], generator: np.random.Generator
    ) -> NDArray[np.int64]:
        """Draw one item per user of `users` [B] from a softmax: an argmax with Gumbel noise."""
        exposure = np.cumsum(truth.exposure)
        chosen = np.empty(len(users), dtype=np.int64)
        for start in range(0, len(users), _ROWS_AT_ONCE):
            block = users[start : start + _ROWS_AT_ONCE]
            spots = generator.random((len(block), self.n_candidates)) * exposure[-1]
            candidates = np.searchsorted(exposure, spots, side="right")  # [b, C]
            affinity = np.einsum("bd,bcd->bc", truth.users[block], truth.items[candidates])
            utility = affinity / self.temperature + generator.gumbel(size=affinity.shape)
            best = utility.argmax(axis=1)
            chosen[start : start + len(block)] = candidates[np.arange(len(block)), best]
        return chosen


def _features(factors: Floats, key: str, name: str) -> pl.DataFrame:
    """Return the ids with the strongest factor of each as a category."""
    strongest = pl.Series(factors.argmax(axis=1)).cast(pl.String)
    return pl.DataFrame({key: np.arange(len(factors)), name: f"{name}_" + strongest})
