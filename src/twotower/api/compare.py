"""`twotower.compare`: earlier runs, compared user by user."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from twotower.comparison import Compared
    from twotower.running.result import Result

__all__ = ["compare"]


def compare(
    runs: Sequence[str | Result] | None = None,
    overrides: Sequence[str] = (),
    *,
    sweep: str | None = None,
    config_dir: str | Path | None = None,
    library: Literal["pandas", "polars"] = "pandas",
) -> Compared:
    """Compare earlier runs, or the trials of a sweep, user by user, as `twotower compare` does.

    Args:
        runs: Two or more runs: results of `twotower.run`, ids, starts of ids or names.
        overrides: Keys of `twotower compare`, such as `["part=test", "metric=recall_at_10"]`.
        sweep: Instead of `runs`, a sweep by its name, id or `latest`.
        config_dir: A folder with choices of your own, for `overrides`.
        library: The library of the frames of the result.

    Returns:
        The models in order of their means, with intervals and tests of every pair: frames `models`,
        `pairs`, `metrics`, `history` and `popularity`.

    Raises:
        ConfigError: An override is wrong, or not one of `runs` and `sweep` is given.
        RunNotFoundError: There is no such run, or it has no values per user.
        DataError: The runs cannot be compared, since their split or evaluation differs.

    >>> import twotower
    >>> data = ["dataset=synthetic", "dataset.n_users=200", "dataset.n_interactions=4000"]
    >>> runs = [
    ...     twotower.run([*data, "trainer.max_epochs=2", f"tower.emb_dim={dim}"]) for dim in (4, 8)
    ... ]
    >>> compared = twotower.compare(runs)
    >>> compared.metric, compared.models["rank"].tolist()
    ('ndcg_at_10', [1, 2])
    """
    from twotower import config as conf
    from twotower.core.errors import ConfigError

    lines = conf.lines_of(overrides)
    if runs is not None:
        ids = [each if isinstance(each, str) else each.run_id for each in runs]
        if None in ids:
            raise ConfigError(
                f"runs: number {ids.index(None) + 1} was not tracked (tracking=none), so nothing "
                "of it was kept; must be tracked runs"
            )
        lines.append(conf.render("runs", ids))
    if sweep is not None:
        lines.append(conf.render("sweep", sweep))
    compared: Compared = conf.build(conf.compose("compare", lines, config_dir)).compare()
    return compared.in_library(library)
