"""Check a choice of a config group by the contract of the group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twotower import config
from twotower.testing.baselines import check_baseline
from twotower.testing.datasets import check_dataset
from twotower.testing.encoders import check_encoder
from twotower.testing.losses import check_loss
from twotower.testing.metrics import check_metric
from twotower.testing.optimizers import check_optimizer, check_schedule
from twotower.testing.samplers import N_ITEMS, check_sampler
from twotower.testing.splits import check_split
from twotower.testing.towers import check_tower

__all__ = ["check_choice", "choices_in", "with_values"]

_LIST = "baselines"  # its choices are nodes by their names
_NEEDS = {"tower/encoder": ["tower=history"], "tower/text": ["tower=features"]}
_EXCLUDES = "exclude_seen"
_NUMBER = "num_negatives"


def choices_in(folder: str | Path) -> list[tuple[str, str]]:
    """Return the groups and choices in a config folder that `check_choice` has a check for."""
    root = Path(folder)
    files = (path.relative_to(root).with_suffix("") for path in sorted(root.rglob("*.yaml")))
    found = [(path.parent.as_posix(), path.name) for path in files]
    return [(group, choice) for group, choice in found if group in _CHECKS]


def check_choice(
    group: str,
    choice: str,
    config_dir: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> None:
    """Compose a run with a choice, and check the component by the contract of its group.

    Args:
        group: A config group, such as `loss` or `tower/encoder`. Of other groups than those that
            `twotower.testing` has a check for, the config alone is checked.
        choice: A file in it, such as `focal`.
        config_dir: The folder that holds it; None if it is a built-in one or that of an installed
            plug-in.
        overrides: Further ones, such as values of keys that have none (`???`).

    Raises:
        AssertionError: The component breaks its contract.
        ConfigError: The config is wrong, or a method is missing.

    >>> check_choice("loss", "bpr")
    """
    selected = f"{group}=[{choice}]" if group == _LIST else f"{group}={choice}"
    lines = [*_NEEDS.get(group, ()), selected, *overrides]
    node: Any = config.compose("train", lines, config_dir)
    for key in group.split("/"):
        node = node[key]
    if group == "evaluation":
        for metric in config.build(node).measured_metrics.values():
            check_metric(metric)
    elif group in _CHECKS:
        _CHECKS[group](node[choice] if group == _LIST else node)


def with_values(node: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the node with `values` where it, or a node in it, has such a key."""
    return {
        key: with_values(value, values) if isinstance(value, Mapping) else values.get(key, value)
        for key, value in node.items()
    }


def _check_sampler(node: Mapping[str, Any]) -> None:
    """Check a sampler with 6 negatives of 8 items, with seen items excluded and not."""
    small = with_values(node, {_NUMBER: N_ITEMS - 2})
    if with_values(small, {_EXCLUDES: "changed"}) == small:
        check_sampler(config.build(small))
        return
    for excludes in (True, False):
        made = config.build(with_values(small, {_EXCLUDES: excludes}))
        check_sampler(made, exclude_seen=excludes)


def _check_scheduler(node: Mapping[str, Any]) -> None:
    made = config.build(node)
    if hasattr(made, "factor"):  # else it makes one of torch's
        check_schedule(made)


_CHECKS: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "baselines": lambda node: check_baseline(config.build(node)),
    "dataset": lambda node: check_dataset(config.build(node)),
    "evaluation": lambda node: None,  # its metrics are checked one by one
    "loss": lambda node: check_loss(config.build(node)),
    "negative_sampling": _check_sampler,
    "optimizer": lambda node: check_optimizer(config.build(node)),
    "split": lambda node: check_split(config.build(node)),
    "tower": lambda node: check_tower(config.build(node)),
    "tower/encoder": lambda node: check_encoder(config.build(node)),
    "tower/text": lambda node: None,  # composed, and so made
    "trainer/scheduler": _check_scheduler,
}
