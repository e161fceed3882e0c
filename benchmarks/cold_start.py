"""Cold items and new users of MovieLens 100K: towers of features and of histories beside ids.

    python benchmarks/cold_start.py

Cold items: a fifth of the films is held out with all their ratings; all films compete. New users: a
fifth of the users is held out; of each one's ratings the older half is told to the model when it is
judged (fold-in), the newer half, where 4 and more, is what it should find. Towers of ids cannot
serve either. Values were set by a few runs on the validation parts; the same for all rows but for
what a row says.
"""

from __future__ import annotations

import argparse

from quality_ml100k import METRICS, row, row_of_runs, runs

SHARED = (
    "tower.emb_dim=32",
    "loss=sampled_softmax",
    "negative_sampling=shared",
    "negative_sampling.num_negatives=200",
    "trainer.max_epochs=40",
    "trainer.patience=8",
)
ITEMS = {
    "ids": ("tower=embedding", "trainer.l2=0.001"),
    "items by features": ("tower=pair", "tower.item.id=false", "trainer.l2=0.001"),
    "items by features and ids, half of these dropped": (
        "tower=pair",
        "tower.item.id_dropout=0.5",
        "trainer.l2=0.001",
    ),
}
USERS = {
    "ids": ("tower=embedding", "trainer.l2=0.001"),
    "users by features": (
        "tower=pair",
        "tower@tower.user=features",
        "tower@tower.item=embedding",
        "tower.user.id=false",
        "trainer.l2=0.001",
    ),
    "history, mean": ("tower=history", "tower.history_length=100", "trainer.l2=0"),
    "history, attention": (
        "tower=history",
        "encoder@tower.encoder=attention",
        "tower.history_length=100",
        "trainer.l2=0",
    ),
}
PARTS = (
    ("cold items", ("split=cold_item",), ITEMS, ("popularity",)),
    (
        "new users",
        ("split=cold_user", "split.known=0.5"),
        USERS,
        ("popularity", "item_knn", "ease"),
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0, 1, ... (default 3)")
    options = parser.parse_args()

    tables = []
    for title, split, towers, baselines in PARTS:
        chosen = f"baselines=[{','.join(baselines)}]"
        results = {
            name: runs([*split, *SHARED, *tower, chosen], options.seeds, f"{title}, {name}")
            for name, tower in towers.items()
        }
        judged = results["ids"][0].judged
        rows = [
            row(name, [f"{judged.baselines[name].values[metric]:.4f}" for metric in METRICS])
            for name in baselines
        ]
        rows += [row_of_runs(name, found) for name, found in results.items()]
        users = judged.measured.per_user.height
        tables.append((f"{title}, {users} test users", rows))

    for title, rows in tables:
        print(f"\n{title}; ± is the standard deviation over {options.seeds} seeds\n")
        print("| | NDCG@10 | HitRate@10 | Coverage@10 | train s |")
        print("|---|---:|---:|---:|---:|")
        print("\n".join(rows))


if __name__ == "__main__":
    main()
