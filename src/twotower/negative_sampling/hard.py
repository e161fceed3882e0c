"""Hard negatives: of another sampler's candidates, those that the model scores highest."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from pydantic import PositiveInt
from torch import Generator, Tensor

from twotower.core.component import arguments_of, component, rule
from twotower.core.errors import ErrorEntry, errors_under
from twotower.negative_sampling.base import (
    NegativeSampler,
    SamplerFactory,
    check_num_negatives,
    needs_other_rows,
    without_exchange,
)
from twotower.types import Hardest, Negatives, TrainInteractions

__all__ = ["HardSampler"]


@component
class HardSampler(NegativeSampler):
    """The `num_negatives` candidates of each positive that the current model scores highest.

    Dynamic negative sampling of Zhang et al. 2013 (SIGIR, "Optimizing top-N collaborative filtering
    via dynamic negative item sampling"). With `of_each`, a row's candidates are split into
    `num_negatives` equal groups and the best of each is kept, as in the paper; without it, the best
    of all. For one negative both are the same. From a shared pool each row keeps its own.

    The expected counts are those of the candidates: how often the model then selects an item
    depends on the model and has no count. So a softmax with logQ correction keeps only the largest
    terms of its estimate of the sum over all items and underestimates it; losses that estimate
    another such sum (squared, warp) have the same bias.

    Example:
        The sampler returns all candidates; `TwoTower.score` keeps the hardest.

        >>> from functools import partial
        >>> from twotower.negative_sampling import UniformSampler
        >>> import torch
        >>> from twotower.types import TrainInteractions
        >>> train = TrainInteractions(
        ...     users=torch.tensor([0, 0, 1]), items=torch.tensor([0, 1, 2]), n_users=2, n_items=3
        ... )
        >>> cpu = torch.device("cpu")
        >>> user, positive = torch.tensor([0]), torch.tensor([0])
        >>> candidates = partial(UniformSampler, 3, False)
        >>> sampler = HardSampler(1, False, candidates, train=train, device=cpu)
        >>> negatives = sampler.sample(user, positive, torch.Generator().manual_seed(0))
        >>> negatives.items.shape, negatives.hardest
        (torch.Size([1, 3]), Hardest(n=1, of_each=False))
    """

    def __init__(
        self,
        num_negatives: PositiveInt,
        of_each: bool,
        candidates: SamplerFactory,
        *,
        train: TrainInteractions,
        device: torch.device,
    ) -> None:
        """Build the sampler and its candidates.

        Args:
            num_negatives: Negatives kept per positive.
            of_each: Keep the best of each of `num_negatives` groups instead of the best of all.
            candidates: Makes the sampler of the candidates.
            train: Train part of the fold.
            device: Where negatives are sampled.

        Raises:
            ConfigError: If `num_negatives`, or that of the candidates, is more than the number of
                items.
        """
        check_num_negatives(num_negatives, train)
        self._hardest = Hardest(num_negatives, of_each)
        with errors_under("candidates"):
            self._candidates = candidates(train=train, device=device)

    @staticmethod
    @rule
    def candidates_are_not_hard(candidates: SamplerFactory) -> Iterator[ErrorEntry]:
        """Yield an error for candidates that are hard negatives themselves."""
        if "candidates" in arguments_of(candidates):
            yield ErrorEntry(
                "candidates",
                problem="got a sampler of hard negatives",
                valid="expected one that keeps all its candidates",
            )

    @staticmethod
    @rule
    def candidates_suffice(
        num_negatives: int, of_each: bool, candidates: SamplerFactory
    ) -> Iterator[ErrorEntry]:
        """Yield an error for too few candidates, or groups that cannot be equal."""
        drawn = _number(candidates)
        if drawn is None:
            return  # checked when the data is read
        if num_negatives > drawn:
            wrong, valid = f"but there are only {drawn} candidates", f"must be from 1 to {drawn}"
            yield ErrorEntry("num_negatives", num_negatives, wrong, valid)
        elif of_each and drawn % num_negatives:
            divisors = ", ".join(str(d) for d in range(1, drawn + 1) if drawn % d == 0)
            wrong = f"which with of_each=true does not make equal groups of {drawn} candidates"
            yield ErrorEntry("num_negatives", num_negatives, wrong, f"must be one of {divisors}")

    @staticmethod
    def needs_other_rows(num_negatives: int, of_each: bool, candidates: SamplerFactory) -> bool:
        """See NegativeSampler."""
        return needs_other_rows(candidates)

    def fresh(self) -> HardSampler:
        """Return the sampler with fresh candidates."""
        sampler = copy.copy(self)
        sampler._candidates = self._candidates.fresh()
        return sampler

    def alone(self) -> HardSampler:
        """Return the sampler with candidates that are alone."""
        sampler = copy.copy(self)
        sampler._candidates = without_exchange(self._candidates)
        return sampler

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """See NegativeSampler; `items` are all candidates, of which the model keeps `hardest`."""
        drawn = self._candidates.sample(users, positives, generator)
        return Negatives(drawn.items, drawn.log_expected_count, drawn.valid, self._hardest)

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """See NegativeSampler; the counts are those of the candidates."""
        return self._candidates.expected_count(users, items)


def _number(sampler: SamplerFactory) -> int | None:
    """Return how many negatives a sampler draws; None if that depends on the batch."""
    given = arguments_of(sampler)
    if "components" in given:
        parts = [_number(part) for part in given["components"].values()]
        return None if None in parts else sum(part for part in parts if part is not None)
    number = given.get("num_negatives")
    return number if isinstance(number, int) else None
