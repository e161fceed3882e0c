"""`twotower.sweep`: one experiment per setting, and their results as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["sweep"]


def sweep(
    params: Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    interactions: Any = None,
    test: Any = None,
    users: Any = None,
    items: Any = None,
    config_dir: str | Path | None = None,
    name: str | None = None,
) -> Any:
    """Run a sweep, as `twotower train -m` does, one trial after another in this process.

    The same call resumes: finished trials are not run again, an interrupted one continues, and more
    values for the same keys extend the sweep. So does the same sweep from the command line. Frames
    of the same content are the same data. Settings are ranked on validation; the best one is
    tested once (`evaluation.test`). `overrides` may hold `seeds=3`, `folds=5` or
    `hydra/sweeper=optuna`.

    Args:
        params: The values of each key that varies, such as `{"tower.emb_dim": [16, 32]}`; or the
            text after `=` on the command line, such as `"interval(0.01,1)"`.
        overrides: What all trials share, as on the command line.
        interactions: The log as a data frame of pandas or Polars; see `twotower.run`.
        test: See `twotower.run`.
        users: See `twotower.run`.
        items: See `twotower.run`.
        config_dir: A folder with choices of your own, `--config-dir` on the command line.
        name: The name of the sweep's own run in MLflow, `run_name` on the command line.

    Returns:
        One row per trial, the best setting first: `rank`, the varied keys, `seed`, `state`, metrics
        by their names in MLflow with the ends of their intervals, `run_id`. A frame of the library
        of `interactions`, pandas if it is None.

    Raises:
        ConfigError: An override or a value is wrong. All errors are reported together, before any
            data is read.
        DataError: The data cannot be read or split.
        SweepError: Trials failed or diverged; the others are done, and `table` of the error holds
            all of them.

    >>> import twotower
    >>> data = ["dataset=synthetic", "dataset.n_users=200", "dataset.n_interactions=4000"]
    >>> small = [*data, "trainer.max_epochs=1", "tracking=none"]
    >>> table = twotower.sweep({"tower.emb_dim": [4, 8], "loss": ["bce", "bpr"]}, small)
    >>> sorted(zip(table["tower.emb_dim"], table["loss"]))
    [(4, 'bce'), (4, 'bpr'), (8, 'bce'), (8, 'bpr')]
    >>> bool(table["val/ndcg_at_10"].is_monotonic_decreasing)
    True
    """
    from twotower import config as conf
    from twotower.api.frames import given_frames, with_frames
    from twotower.api.trials import sweep_of, varying
    from twotower.core.errors import SweepError
    from twotower.core.frame_library import in_library
    from twotower.reporting.sweep.story import record_sweep

    given = given_frames(interactions=interactions, test=test, users=users, items=items)
    lines = conf.lines_of(overrides)
    if name is not None:
        lines.append(conf.render("run_name", conf.literal(name)))
    axes = varying(params)
    if given is not None:
        lines = with_frames(given, lines, config_dir, axes)
    library = given.library if given is not None else "pandas"
    try:
        table = sweep_of([*lines, *axes], config_dir).run(record_sweep)
    except SweepError as error:
        if error.table is not None:
            error.table = in_library(error.table.frame(), library)
        raise
    return in_library(table.frame(), library)
