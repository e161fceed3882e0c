"""`twotower.load`: the model of an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from twotower.serving.recommender import Recommender

__all__ = ["load"]


def load(
    run: str | Path = "latest",
    overrides: Sequence[str] = (),
    *,
    allow_targets: Sequence[str] = (),
    config_dir: str | Path | None = None,
    library: Literal["pandas", "polars"] = "pandas",
) -> Recommender:
    """Load the model of a run, or one that was saved to a folder.

    Args:
        run: The id of a run in MLflow, the start of one, its name, or `latest`; an address
            `runs:/<id>`, `models:/<name>@<alias>` or `models:/<name>/<version>`; or the folder that
            `Recommender.save` wrote, as a Path or a text that names it.
        overrides: Keys of `twotower recommend` that set where the runs are, such as
            `["output_dir=elsewhere"]` or `["tracking=server", "tracking.uri=http://..."]`.
        allow_targets: Packages, such as `my_package`, that the model's classes may come from in
            addition to twotower and torch.nn. Loading runs their code.
        config_dir: A folder with choices of your own, for `overrides`.
        library: The library of lists for users who are passed as no frame or series.

    Returns:
        The model: `recommend(users, k)` for known users, `recommend_from(interactions, k)` for
        others; see `Recommender`.

    Raises:
        RunNotFoundError: There is no such run, or it holds no model.
        DataError: A file of the model is missing or damaged.
        ConfigError: An override is wrong, or the model names other code, none of which was run.

    >>> import twotower
    >>> data = ["dataset=synthetic", "dataset.n_users=200", "dataset.n_interactions=4000"]
    >>> result = twotower.run([*data, "trainer.max_epochs=2"])
    >>> model = twotower.load(result.run_id)
    >>> model.recommend([0, 6], k=5).equals(result.recommend([0, 6], k=5))
    True
    """
    from dataclasses import replace

    from twotower import config as conf
    from twotower.serving.files import is_model_folder
    from twotower.serving.recommender import Recommender

    if isinstance(run, Path) or is_model_folder(Path(run)):
        found = Recommender.load(Path(run), allow_targets)
    else:
        lines = conf.lines_of(overrides)
        lines += [conf.render("run", run), conf.render("allow_targets", list(allow_targets))]
        found = conf.build(conf.compose("recommend", lines, config_dir)).recommender()
    return replace(found, library=library)
