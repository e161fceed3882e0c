"""Cold items and new users of MovieLens 100K: towers of features and of histories beside ids.

    python benchmarks/cold_start.py

Cold items: a fifth of the films is held out with all their ratings; all films compete. New users: a
fifth of the users is held out; of each one's ratings the older half is told to the model when it is
judged (fold-in), the newer half, where 4 and more, is what it should find. Towers of ids cannot
serve either. The recipes' values were set by a few runs on the validation parts; the other rows
take the same but for what they say.
"""

from __future__ import annotations

import argparse

from quality_ml100k import METRICS, row, row_of_runs, runs

SHARED = ("trainer.l2=0",)
IDS = ("tower=embedding",)
ITEMS = {
    "ids": ("split=cold_item", *IDS),
    "`experiment=cold_items`, features alone": ("experiment=cold_items",),
    "features and ids, half of these dropped": (
        "experiment=cold_items",
        "tower.item.id=true",
        "tower.item.id_dropout=0.5",
    ),
}
USERS = {
    "ids": ("split=cold_user", "split.known=0.5", *IDS),
    "features": (
        "split=cold_user",
        "split.known=0.5",
        "tower=pair",
        "tower@tower.user=features",
        "tower@tower.item=embedding",
        "tower.user.id=false",
    ),
    "history, mean": ("experiment=new_users", "tower/encoder=mean"),
    "`experiment=new_users`, history, attention": ("experiment=new_users",),
}
PARTS = (
    ("cold items", ITEMS, ("popularity",)),
    ("new users", USERS, ("popularity", "item_knn", "ease")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0, 1, ... (default 3)")
    options = parser.parse_args()

    tables = []
    for title, towers, baselines in PARTS:
        chosen = f"baselines=[{','.join(baselines)}]"
        results = {
            name: runs([*tower, *SHARED, chosen], options.seeds, f"{title}, {name}")
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
