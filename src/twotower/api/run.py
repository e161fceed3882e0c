"""`twotower.run`: one experiment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twotower.running.result import Result

__all__ = ["run"]


def run(
    overrides: Sequence[str] = (),
    *,
    interactions: Any = None,
    test: Any = None,
    users: Any = None,
    items: Any = None,
    config_dir: str | Path | None = None,
    name: str | None = None,
) -> Result:
    """Run one experiment, as `twotower train` does, in this process.

    Args:
        overrides: As on the command line, such as `["tower.emb_dim=32", "loss=bpr"]`.
        interactions: The log as a data frame of pandas or Polars; None reads the dataset that
            `overrides` choose. Its columns are called as `dataset.columns` says, by default
            `user_id`, `item_id` and `timestamp`; see `conf/dataset/frame.yaml`.
        test: The test part of a log that is split already, for `split=given`.
        users: Features of users, one row per id, any other columns.
        items: Features of items, one row per id, any other columns.
        config_dir: A folder with choices of your own, `--config-dir` on the command line.
        name: The name of the run in MLflow, `run_name` on the command line.

    Returns:
        Metrics, frames, the run's id in MLflow, and the trained model with `recommend`. Frames are
        of the library of `interactions`, pandas if it is None.

    Raises:
        ConfigError: An override is wrong. All errors are reported together, before any data is
            read.
        DataError: The data cannot be read, split or trained on. For frames the message names the
            column and the row.
        TrainingError: Training diverged.

    >>> import pandas as pd
    >>> import twotower
    >>> log = pd.DataFrame({"user_id": [u for u in range(40) for _ in range(5)]})
    >>> log["item_id"] = [f"item {(3 * row) % 17}" for row in range(200)]
    >>> recipe = ["preprocessing=none", "split=random", "trainer.max_epochs=2", "tracking=none"]
    >>> no_time = ["dataset.columns.timestamp=null"]
    >>> result = twotower.run([*recipe, *no_time], interactions=log)
    >>> 0 <= result.metrics["test/ndcg_at_10"] <= 1
    True
    >>> result.recommend([0, 1], k=2)["user_id"].tolist()
    [0, 0, 1, 1]
    """
    from dataclasses import replace

    from twotower import config as conf
    from twotower.api.frames import given_frames, with_frames
    from twotower.config.naming import run_name
    from twotower.reporting.run_page import report_run

    given = given_frames(interactions=interactions, test=test, users=users, items=items)
    lines = conf.lines_of(overrides)
    if name is not None:
        lines.append(conf.render("run_name", conf.literal(name)))
    if given is not None:
        lines = with_frames(given, lines, config_dir)
    config = conf.compose("train", lines, config_dir)
    result: Result = conf.build(config).run(run_name(lines, config), report_run)
    library = given.library if given is not None else "pandas"
    recommender = replace(result.recommender, library=library)
    return replace(result, library=library, recommender=recommender)
