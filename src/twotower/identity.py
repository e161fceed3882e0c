"""What makes two runs the same run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["digest_of", "sweep_id", "trial_hash"]

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

# Of Hydra's own keys those that say which trials a sweep has.
_SEARCH = ("hydra/sweeper=", "hydra.sweeper.search.seed=")


def trial_hash(config: Mapping[str, Any], split_digest: str) -> str:
    """Identity of a run: its resolved config, but for `ELSEWHERE`, and the content of its split."""
    return digest_of([_without(config, ELSEWHERE), split_digest])


def sweep_id(experiment_name: str, fixed: Sequence[str], keys: Sequence[str]) -> str:
    """Identity of a sweep: what its trials share, which keys vary and what searches them, but not
    the values, nor how many are tried, so that more are added to it. Overrides are told as on the
    command line."""
    shared = sorted(o.lstrip("+") for o in fixed)
    told = [o for o in shared if o.startswith(_SEARCH) or not o.startswith((*ELSEWHERE, "hydra"))]
    return digest_of([experiment_name, told, sorted(keys)])[:12]


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
