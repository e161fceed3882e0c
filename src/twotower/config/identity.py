"""Identity of runs and sweeps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["ELSEWHERE", "digest_of", "is_elsewhere", "run_digest", "sweep_id", "trial_hash"]

# Keys that set where and how a run is carried out, without effect on its results.
ELSEWHERE = (
    "baselines",
    "comparison",
    "dataset.frames_dir",
    "embedding_plot",
    "evaluation.block_scores",
    "evaluation.test",
    "memory_gib",
    "output_dir",
    "resume",
    "run_name",
    "save_models",
    "tracking",
    "trainer.checkpoint_seconds",
    "trainer.keep_checkpoint",
    "trainer.logger",
    "trainer.profiler",
    "trainer.progress_bar",
    "trainer.steps_per_call",
)

# Those among them that leave what a run logs unchanged, too.
_UNSEEN = (
    "dataset.frames_dir",
    "evaluation.block_scores",
    "memory_gib",
    "output_dir",
    "resume",
    "trainer.checkpoint_seconds",
    "trainer.progress_bar",
)

# Keys of a search that determine which trials a sweep has, and which are compared.
_SEARCH = ("_target_", "seed")


def trial_hash(config: Mapping[str, Any], data: str) -> str:
    """Return the identity of a run: a hash of its resolved config and its data.

    Args:
        config: As plain containers; keys in `ELSEWHERE` do not count.
        data: Digest of all data that the run depends on, `SplitFrames.identity`.
    """
    return digest_of([_without(config, ELSEWHERE), data])


def run_digest(config: Mapping[str, Any]) -> str:
    """Return the identity of what a command computes and logs, before its data is read.

    Args:
        config: The resolved config as plain containers.
    """
    return digest_of(_without(config, _UNSEEN))


def is_elsewhere(key: str) -> bool:
    """Return whether runs that differ in `key` alone are the same run."""
    return key.startswith(tuple(f"{each}." for each in ELSEWHERE)) or key in ELSEWHERE


def sweep_id(
    experiment_name: str,
    shared: Mapping[str, Any],
    keys: Sequence[str],
    search: Mapping[str, Any],
) -> str:
    """Return the identity of a sweep: what its trials share, which keys vary, and the search.

    Neither the values nor the number of trials are part of it, so that a sweep can be extended.

    Args:
        experiment_name: the MLflow experiment of the runs.
        shared: the config without the varying keys, as plain containers.
        keys: the varying keys, in any order.
        search: the config of the search.
    """
    searched = {key: search[key] for key in _SEARCH if key in search}
    return digest_of([experiment_name, _without(shared, ELSEWHERE), sorted(keys), searched])[:12]


def digest_of(value: object) -> str:
    """Return 24 hex digits for plain nested containers; the order of keys does not matter."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _without(config: Mapping[str, Any], keys: tuple[str, ...], path: str = "") -> dict[str, Any]:
    return {
        key: _without(value, keys, f"{path}{key}.") if isinstance(value, Mapping) else value
        for key, value in config.items()
        if f"{path}{key}" not in keys
    }
