"""What makes two runs the same run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["digest_of", "is_elsewhere", "sweep_id", "trial_hash"]

# Keys that say where and how a run goes, not what comes out of it.
ELSEWHERE = (
    "baselines",
    "comparison",
    "evaluation.block_scores",
    "evaluation.test",
    "output_dir",
    "run_name",
    "tracking",
    "trainer.checkpoint_seconds",
    "trainer.progress_bar",
)

# Of a search what says which trials a sweep has, and which are compared.
_SEARCH = ("_target_", "seed")


def trial_hash(config: Mapping[str, Any], data: str) -> str:
    """Return the identity of a run: a hash of its resolved config and its data.

    Args:
        config: As plain containers; keys in `ELSEWHERE` do not count.
        data: Digest of all data that the run depends on, `SplitFrames.identity`.
    """
    return digest_of([_without(config, ELSEWHERE), data])


def is_elsewhere(key: str) -> bool:
    """Whether runs that differ in `key` alone are the same run."""
    return key.startswith(tuple(f"{each}." for each in ELSEWHERE)) or key in ELSEWHERE


def sweep_id(
    experiment_name: str,
    shared: Mapping[str, Any],
    keys: Sequence[str],
    search: Mapping[str, Any],
) -> str:
    """Identity of a sweep: what its trials share, which keys vary and what searches them, but not
    the values, nor how many are tried, so that more are added to it.

    Args:
        experiment_name: that the runs are tracked in.
        shared: the config without what varies, as plain containers.
        keys: what varies, in any order.
        search: the config of the search.
    """
    searched = {key: search[key] for key in _SEARCH if key in search}
    return digest_of([experiment_name, _without(shared, ELSEWHERE), sorted(keys), searched])[:12]


def digest_of(value: object) -> str:
    """24 hex digits of plain nested containers; the order of keys does not matter."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _without(config: Mapping[str, Any], keys: tuple[str, ...], path: str = "") -> dict[str, Any]:
    return {
        key: _without(value, keys, f"{path}{key}.") if isinstance(value, Mapping) else value
        for key, value in config.items()
        if f"{path}{key}" not in keys
    }
