"""MovieLens 100K on the notebook's split: our recipes beside the notebook and baselines.

    python benchmarks/quality_ml100k.py

All but the published row are measured here, on one split, by one evaluation: train is what comes
before the newest fifth of the log, test are the ratings of 4 and more after it, of users and items
that train knows. The recipes, chosen on validation, are run for several seeds; the baselines'
settings were chosen on validation too. ALS needs `implicit` (`pip install -e ".[benchmark]"`).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence

import twotower
from twotower.running.result import Result

METRICS = ("ndcg_at_10", "hitrate_at_10", "coverage_at_10")
# "Neural Networks for Recommendation Systems", its table of results; seen items are not dropped.
PUBLISHED = (0.0345152, 0.221053, 0.191213)
BASELINES = ("popularity", "recent_popularity", "item_knn", "ease", "als", "bpr")


def runs(overrides: Sequence[str], seeds: int, title: str) -> list[Result]:
    """One run a seed, untracked."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            fixed = ["tracking=none", "trainer.progress_bar=false", f"output_dir={folder}"]
            result = twotower.run([*overrides, *fixed, f"seed={seed}"])
            own = ", ".join(f"{result.metrics[f'test/{name}']:.4f}" for name in METRICS)
            print(f"{title}, seed {seed}: {own} in {result.train_seconds:.1f} s", flush=True)
            results.append(result)
    return results


def row(title: str, cells: Sequence[str], seconds: str = "") -> str:
    return f"| {title} | {' | '.join(cells)} | {seconds} |"


def row_of_runs(title: str, results: Sequence[Result]) -> str:
    """Mean and standard deviation over seeds."""
    cells = []
    for name in METRICS:
        values = [result.metrics[f"test/{name}"] for result in results]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        cells.append(f"{statistics.mean(values):.4f} ± {spread:.4f}")
    seconds = statistics.mean(result.train_seconds for result in results)
    return row(title, cells, f"{seconds:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0, 1, ... (default 5)")
    options = parser.parse_args()

    ours = runs([f"baselines=[{','.join(BASELINES)}]"], options.seeds, "twotower")
    recent = runs(["experiment=ml100k", "baselines=[]"], options.seeds, "experiment=ml100k")
    notebook = runs(["experiment=notebook", "baselines=[]"], options.seeds, "notebook recipe")

    tested = ours[0].judged
    users = tested.measured.per_user.height
    print(f"\n{users} test users; ± is the standard deviation over {options.seeds} seeds\n")
    print("| | NDCG@10 | HitRate@10 | Coverage@10 | train s |")
    print("|---|---:|---:|---:|---:|")
    print(row_of_runs("**twotower, default recipe**", ours))
    print(row_of_runs("**`experiment=ml100k`**", recent))
    for name in BASELINES:
        values = tested.baselines[name].values
        print(row(name, [f"{values[metric]:.4f}" for metric in METRICS]))
    print(row_of_runs("`experiment=notebook`, seen items kept", notebook))
    print(row("the notebook as published", [f"{value:.4f}" for value in PUBLISHED]))

    popularity = tested.baselines["popularity"].values["ndcg_at_10"]
    for title, results in (("default recipe", ours), ("experiment=ml100k", recent)):
        above = sum(result.metrics["test/ndcg_at_10"] > popularity for result in results)
        print(f"\n{title}: {above} of {len(results)} seeds are above popularity by NDCG@10")


if __name__ == "__main__":
    main()
