"""Gowalla on the split that LightGCN published: the recipe beside what papers report.

    python benchmarks/quality_gowalla.py --train train.parquet --test test.parquet

`train` and `test` hold the published interactions (810,128 and 217,242), columns `user_id` and
`item_id`. All 40,981 items are ranked, a user's train items dropped; recall@20 and NDCG@20 as in
the papers. The recipe's values were chosen on a tenth of train; here it is trained on that part's
rest to find the number of epochs, then anew on all of train, and tested once for each seed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time

import twotower

METRICS = ("recall_at_20", "ndcg_at_20")
# Published on this split with 64 dimensions: (recall@20, NDCG@20).
PUBLISHED = {
    "MF, BPR loss (BARS)": (0.1627, 0.1378),
    "LightGCN (He et al. 2020)": (0.1830, 0.1554),
    "MF, CCL (SimpleX, Mao et al. 2021)": (0.1837, 0.1493),
    "SimpleX (Mao et al. 2021)": (0.1872, 0.1557),
    "MF, BSL (Wu et al. 2024)": (0.1882, 0.1584),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", required=True, help="Parquet file of the train part")
    parser.add_argument("--test", required=True, help="Parquet file of the test part")
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0, 1, ... (default 1)")
    parser.add_argument("overrides", nargs="*", help="of the recipe, such as trainer=gpu")
    options = parser.parse_args()

    rows: list[tuple[float, ...]] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seeds):
            started = time.perf_counter()
            result = twotower.run(
                [
                    "experiment=gowalla",
                    f"dataset.path={options.train}",
                    f"dataset.test_path={options.test}",
                    "tracking=none",
                    f"output_dir={folder}",
                    f"seed={seed}",
                    *options.overrides,
                ]
            )
            seconds = time.perf_counter() - started
            values = tuple(result.metrics[f"test/{name}"] for name in METRICS)
            rows.append(values)
            fits = ", ".join(f"{fit.seconds / 60:.1f}" for fit in result.fits)
            print(
                f"seed {seed}: recall@20 {values[0]:.4f}, NDCG@20 {values[1]:.4f}; "
                f"{result.fits[0].best_epoch} epochs; minutes: {fits} to select and refit, "
                f"{seconds / 60:.1f} in all",
                flush=True,
            )
            if seed == 0:
                popularity = tuple(result.metrics[f"baseline/popularity/{m}"] for m in METRICS)

    print("\n| | recall@20 | NDCG@20 |")
    print("|---|---:|---:|")
    for title, published in PUBLISHED.items():
        print(f"| {title} | {published[0]:.4f} | {published[1]:.4f} |")
    print(f"| popularity | {popularity[0]:.4f} | {popularity[1]:.4f} |")
    means = [statistics.mean(column) for column in zip(*rows, strict=True)]
    print(f"| **twotower, `experiment=gowalla`** | {means[0]:.4f} | {means[1]:.4f} |")


if __name__ == "__main__":
    main()
