"""Hard negatives: of what another sampler draws, those that the model scores highest."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from pydantic import PositiveInt
from torch import Generator, Tensor

from twotower.core.errors import below
from twotower.negative_sampling.base import (
    NegativeSampler,
    check_num_negatives,
    needs_other_rows,
)
from twotower.types import Hardest, Negatives, TrainInteractions

__all__ = ["HardSampler"]


class HardSampler(NegativeSampler):
    """`num_negatives` of the candidates of each positive, chosen by the model as it stands.

    Dynamic negative sampling of Zhang et al. 2013 (SIGIR, "Optimizing top-N collaborative filtering
    via dynamic negative item sampling"). With `of_each` the candidates of a row make as many equal
    groups, of each of which the best counts, as in the paper; without, the best of all of them. For
    one negative both are the same. Where candidates are one pool, each row chooses its own of it.

    The draw is that of the candidates, and so is the log of its expected count: how often the
    model then chooses an item depends on the model and has no count of its own. A softmax with logQ
    correction keeps, of its estimate of the sum over all items, the terms of highest score, and
    estimates that sum too low; losses that estimate another sum over all items (squared, warp) are
    as biased.
    """

    def __init__(
        self,
        num_negatives: PositiveInt,
        of_each: bool,
        candidates: Callable[..., NegativeSampler],
        *,
        train: TrainInteractions,
        device: torch.device,
    ) -> None:
        """Raises ConfigError where there are fewer items than negatives, or the candidates do."""
        check_num_negatives(num_negatives, train)
        self._hardest = Hardest(num_negatives, of_each)
        with below("negative_sampling", "candidates"):
            self._candidates = candidates(train=train, device=device)

    @staticmethod
    def conflicts(node: Mapping[str, Any], path: str) -> Iterator[str]:
        """There are as many candidates as negatives, or more, and equal groups of them."""
        candidates, n = node.get("candidates"), node.get("num_negatives")
        if not isinstance(candidates, Mapping):
            return  # told by its type
        if "candidates" in candidates:
            yield (
                f"{path}.candidates: got a sampler of hard negatives; "
                "valid is one that keeps all that it draws"
            )
        drawn = _number(candidates)
        if drawn is None or not isinstance(n, int) or n < 1:
            return  # told when the data is read, or by its type
        if n > drawn:
            yield (
                f"{path}.num_negatives: got {n}, but there are only {drawn} candidates; "
                f"valid are 1 to {drawn}"
            )
        elif node.get("of_each") is True and drawn % n:
            divisors = ", ".join(str(d) for d in range(1, drawn + 1) if drawn % d == 0)
            yield (
                f"{path}.num_negatives: got {n}, which with of_each=true does not make equal "
                f"groups of {drawn} candidates; valid are {divisors}"
            )

    @staticmethod
    def needs_other_rows(
        num_negatives: int, of_each: bool, candidates: Callable[..., NegativeSampler]
    ) -> bool:
        """See NegativeSampler."""
        return needs_other_rows(candidates)

    def fresh(self) -> HardSampler:
        """The same of fresh candidates."""
        sampler = copy.copy(self)
        sampler._candidates = self._candidates.fresh()
        return sampler

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """See NegativeSampler; all candidates, of which the model keeps `hardest`."""
        return replace(self._candidates.sample(users, positives, generator), hardest=self._hardest)

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """See NegativeSampler: of the candidates."""
        return self._candidates.expected_count(users, items)


def _number(node: Mapping[str, Any]) -> int | None:
    """How many negatives a sampler's node says that it draws; None where only a batch tells."""
    if "components" in node:
        parts = [_number(part) for part in node["components"].values()]
        return None if None in parts else sum(part for part in parts if part is not None)
    number = node.get("num_negatives")
    return number if isinstance(number, int) else None
