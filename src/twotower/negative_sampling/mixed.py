"""A mixture of several samplers."""

import copy
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Generator, Tensor

from twotower.core.component import arguments_of, component, rule
from twotower.core.errors import ErrorEntry, errors_under
from twotower.negative_sampling.base import (
    NegativeSampler,
    SamplerFactory,
    log_count,
    needs_other_rows,
    without_exchange,
)
from twotower.negative_sampling.seen import PoolNegatives, SideBySide
from twotower.types import Negatives, TrainInteractions

__all__ = ["MixedSampler"]


@component
class MixedSampler(NegativeSampler):
    """The negatives of all `components`, concatenated.

    Yang et al. 2020 (WWW, "Mixed negative sampling for learning two-tower neural networks in
    recommendations") add uniform negatives to those of the batch. Whichever component samples an
    item, its expected count is the sum over all components, so the correction is that of the
    mixture. Pools stay one pool; combined with a sampler that draws per row, a pool becomes part of
    every row ([B, N]) and costs as much.

    Example:
        >>> from functools import partial
        >>> import torch
        >>> from twotower.negative_sampling import AllItems, InBatchSampler
        >>> from twotower.types import TrainInteractions
        >>> train = TrainInteractions(
        ...     users=torch.tensor([0, 0, 1]), items=torch.tensor([0, 1, 2]), n_users=2, n_items=3
        ... )
        >>> components = {"b": partial(InBatchSampler, True, False), "all": partial(AllItems, True)}
        >>> sampler = MixedSampler(components, train=train, device=torch.device("cpu"))
        >>> users, positives = torch.tensor([0, 1]), torch.tensor([0, 2])
        >>> sampler.sample(users, positives, torch.Generator()).items
        tensor([0, 2, 0, 1, 2])
    """

    def __init__(
        self,
        components: dict[str, SamplerFactory],
        *,
        train: TrainInteractions,
        device: torch.device,
    ) -> None:
        """Build all components.

        Args:
            components: What makes each sampler, by name.
            train: Train part of the fold.
            device: Where negatives are sampled.

        Raises:
            ConfigError: If a component raises it.
        """
        self._parts: list[NegativeSampler] = []
        for name, part in components.items():
            with errors_under(f"components.{name}"):
                self._parts.append(part(train=train, device=device))

    @staticmethod
    @rule
    def components_fit(
        components: dict[str, SamplerFactory],
    ) -> Iterator[ErrorEntry]:
        """Yield an error for no components, or components that differ in `exclude_seen`.

        An item that one component masks and another does not would occur more often than its valid
        places show, so no single expected count would be right for both.
        """
        if not components:
            yield ErrorEntry("components", components, valid="expected one or more named samplers")
        for name, part in components.items():
            if "candidates" in arguments_of(part):
                yield ErrorEntry(
                    f"components.{name}",
                    problem="got a sampler of hard negatives, which selects among all negatives of "
                    "a row",
                    valid="expected one that keeps all its candidates (hard negatives of a "
                    "mixture: negative_sampling=hard with the mixture as its candidates)",
                )
        flags = dict(_exclusions(components))
        if len(set(flags.values())) > 1:
            got = ", ".join(f"{name}={str(flag).lower()}" for name, flag in flags.items())
            yield ErrorEntry(
                "components",
                problem=f"got exclude_seen {got}",
                valid="must be the same in all of them",
            )

    @staticmethod
    def needs_other_rows(components: dict[str, SamplerFactory]) -> bool:
        """See NegativeSampler."""
        return all(needs_other_rows(component) for component in components.values())

    def fresh(self) -> "MixedSampler":
        """Return the sampler with fresh components."""
        sampler = copy.copy(self)
        sampler._parts = [part.fresh() for part in self._parts]
        return sampler

    def alone(self) -> "MixedSampler":
        """Return the sampler with components that are alone."""
        sampler = copy.copy(self)
        sampler._parts = [without_exchange(part) for part in self._parts]
        return sampler

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """See NegativeSampler; items are [N], or [B, N] where a component's are [B, .]."""
        draws = [part.sample(users, positives, generator) for part in self._parts]
        if all(isinstance(draw, PoolNegatives) for draw in draws):
            return self._one_pool(users, draws)  # type: ignore[arg-type]
        pools = [draw.items for draw in draws]
        if any(items.dim() == 2 for items in pools):
            pools = [items.expand(len(users), -1) for items in pools]
        items = torch.cat(pools, dim=-1)
        count = self.expected_count(users, items)
        return Negatives(
            items=items,
            log_expected_count=log_count(count),
            valid=torch.cat([_valid(draw, len(users)) for draw in draws], dim=1),
        )

    def _one_pool(self, users: Tensor, pools: Sequence[PoolNegatives]) -> PoolNegatives:
        items = torch.cat([pool.items for pool in pools])
        log_expected_count = log_count(self.expected_count(users, items))
        masks = SideBySide(tuple((pool.mask, len(pool.items)) for pool in pools))
        return PoolNegatives(items, log_expected_count, masks)

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """See NegativeSampler."""
        count = torch.zeros(items.shape, dtype=torch.float64, device=items.device)
        for part in self._parts:
            count = count + part.expected_count(users, items)
        return count


def _valid(draw: Negatives, n_rows: int) -> Tensor:
    """[B, N] bool."""
    if draw.valid is not None:
        return draw.valid
    shape = (n_rows, draw.items.shape[-1])
    return torch.ones(shape, dtype=torch.bool, device=draw.items.device)


def _exclusions(
    components: Mapping[str, SamplerFactory],
) -> Iterator[tuple[str, bool]]:
    """Yield the name and `exclude_seen` of each component that has it, nested ones included."""
    for name, part in components.items():
        given = arguments_of(part)
        if "exclude_seen" in given:
            yield name, given["exclude_seen"]
        for inner, flag in _exclusions(given.get("components") or {}):
            yield f"{name}.{inner}", flag
