"""The default recipe beside EASE and popularity, on three logs of different size.

    python benchmarks/quality_default.py
    python benchmarks/quality_default.py --splits time last_n ratio --logs small

Only the dataset and the split change; all else is the default, as in `twotower train`. Synthetic
logs have popularity that falls with the rank and a taste to be found: `small` has the shape of
MovieLens latest-small, `sparse` more users, each with a few tens of a few thousand items.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence

import twotower

METRIC = "ndcg_at_10"
# What is aimed at: the share of EASE's NDCG@10 that the default recipe reaches at least.
TARGET = 0.9


def synthetic(n_users: int, n_items: int, n_interactions: int) -> list[str]:
    shape = {"n_users": n_users, "n_items": n_items, "n_interactions": n_interactions}
    return ["dataset=synthetic", *(f"dataset.{key}={value}" for key, value in shape.items())]


LOGS = {
    "ml100k": ["dataset=movielens_100k"],
    "small": synthetic(600, 9_000, 30_000),
    "sparse": synthetic(8_000, 5_000, 300_000),
}


def row(log: str, split: str, overrides: Sequence[str], folder: str) -> tuple[str, float]:
    """A line of the table, and the ratio to EASE on the test part."""
    fixed = ["baselines=[popularity,ease]", "tracking=none", "trainer.progress_bar=false"]
    result = twotower.run([*overrides, f"split={split}", *fixed, f"output_dir={folder}"])
    assert result.selected is not None
    values = {name: other.values[METRIC] for name, other in result.judged.baselines.items()}
    own = result.judged.measured.values[METRIC]
    ratio = own / values["ease"]
    cells = [
        f"{log}, {split}",
        f"{result.judged.measured.per_user.height:,}",
        *(f"{value:.4f}" for value in (own, values["ease"], values["popularity"])),
        f"{ratio:.2f}",
        f"{result.selected.best_epoch} of {result.selected.history.height}",
        f"{result.train_seconds:.1f}",
    ]
    return f"| {' | '.join(cells)} |", ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--logs", nargs="+", choices=LOGS, default=list(LOGS))
    parser.add_argument("--splits", nargs="+", help="default: time for ml100k, else last_n")
    options = parser.parse_args()

    print("| log, split | test users | default | EASE | popularity | / EASE | epoch | train s |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for log in options.logs:
            for split in options.splits or (["time"] if log == "ml100k" else ["last_n"]):
                line, ratio = row(log, split, LOGS[log], folder)
                print(line, flush=True)
                ratios.append(ratio)
    reached = sum(ratio >= TARGET for ratio in ratios)
    print(f"\n{reached} of {len(ratios)} reach {TARGET} times the NDCG@10 of EASE")


if __name__ == "__main__":
    main()
