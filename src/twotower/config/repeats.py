"""Repeats of a setting: `seeds=5` and `folds=5` as sweeps over the keys that they vary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from hydra.core.override_parser.types import Override

from twotower.config.parse import parse
from twotower.config.tree import file_of
from twotower.core.errors import ConfigError

__all__ = ["REPEATS", "with_repeats", "with_seeds"]

# Keys whose values repeat a setting, with what each value is called. Trials that differ in these
# alone are averaged, never ranked.
REPEATS = {
    "split.fold": "folds",
    "split.seed": "draws of the split",
    "dataset.seed": "draws of the data",
    "seed": "seeds",
}

_FOLDED, _N_FOLDS, _FOLD = "k_folds", "split.n_folds", "split.fold"


def with_repeats(overrides: Sequence[str]) -> list[str]:
    """Rewrite `seeds=3` and `folds=5` as sweeps: `seed=0,1,2`, `split.fold=0,1,2,3,4`.

    `folds=5` selects `split=k_folds` where no split is given, and sets `split.n_folds`.

    Raises:
        ConfigError: a count is not an integer, or the key that it varies is given too.
    """
    return _with_folds(with_seeds(overrides))


def with_seeds(overrides: Sequence[str]) -> list[str]:
    """Rewrite `seeds=3` (and `seed=5`) as a sweep over the seed: `seed=5,6,7`.

    Raises:
        ConfigError: the seed is swept too, or `seeds` is not an integer >= 1.
    """
    parsed = parse(overrides)
    found = {o.key_or_group: o for o in parsed if o.key_or_group in ("seed", "seeds")}
    seeds, seed = found.get("seeds"), found.get("seed")
    if seeds is None or seeds.value() == 1:
        return list(overrides)
    count = seeds.value()
    if seeds.is_sweep_override() or not isinstance(count, int) or count < 1:
        raise ConfigError(f"{seeds.input_line}: expected one integer >= 1")
    if seed is not None and not isinstance(seed.value(), int):
        raise ConfigError(f"{seed.input_line} with seeds={count}: seed must be one integer")
    first = seed.value() if seed is not None else 0
    assert isinstance(first, int)
    rest = [o.input_line or "" for o in parsed if o.key_or_group not in found]
    return [*rest, "seed=" + ",".join(str(n) for n in range(first, first + count))]


def _with_folds(overrides: Sequence[str]) -> list[str]:
    found = {override.key_or_group: override for override in parse(overrides)}
    folds = found.get("folds")
    if folds is None or folds.value() is None:
        return list(overrides)
    count: Any = None if folds.is_sweep_override() else folds.value()
    if not isinstance(count, int) or isinstance(count, bool) or count < 2:
        raise ConfigError(f"{folds.input_line}: must be one whole number, 2 or more, or null")
    for key in (_FOLD, _N_FOLDS):
        if key in found:
            raise ConfigError(
                f"{found[key].input_line} with folds={count}: folds sets {key}; give one of them"
            )
    split = found.get("split")
    if split is not None and not _has_folds(split):
        raise ConfigError(
            f"{split.input_line} with folds={count}: this split has no folds; "
            f"must be split={_FOLDED}, or no split"
        )
    rest = [o for o in overrides if o != folds.input_line]
    chosen = [] if split is not None else [f"split={_FOLDED}"]
    numbers = ",".join(str(n) for n in range(count))
    return [*chosen, *rest, f"{_N_FOLDS}={count}", f"{_FOLD}={numbers}"]


def _has_folds(split: Override) -> bool:
    """Return whether the choice has `n_folds`; True for a choice outside the config tree."""
    if split.is_sweep_override():
        return False
    choice = str(split.value())
    if (file := file_of("split", choice)) is None:
        return True
    node = yaml.safe_load(file.read_text(encoding="utf-8"))
    return "n_folds" in node
