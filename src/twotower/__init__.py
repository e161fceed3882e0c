"""twotower: config-driven experiments with two-tower dot-product recommenders."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twotower.running.result import Result

__all__ = ["__version__", "run"]

__version__ = version("twotower")


def run(overrides: Sequence[str] = ()) -> Result:
    """Run one experiment, as `twotower train` does, in this process.

    Args:
        overrides: As on the command line, such as `["tower.emb_dim=32", "loss=bpr"]`.

    Returns:
        Metrics, frames, the run's id in MLflow, and the trained model with `recommend`.

    Raises:
        ConfigError: An override is wrong. All errors are reported together, before any data is
            read.
        DataError: The data cannot be read, split or trained on.
        TrainingError: Training diverged.

    >>> import twotower
    >>> data = ["dataset=synthetic", "dataset.n_users=200", "dataset.n_interactions=4000"]
    >>> result = twotower.run([*data, "trainer.max_epochs=2", "tracking=none"])
    >>> 0 <= result.metrics["test/ndcg_at_10"] <= 1
    True
    >>> result.recommend(k=5).columns.tolist()
    ['user_id', 'item_id', 'rank', 'score', 'title']
    """
    # Imported here to keep `import twotower` fast.
    from twotower import config as conf
    from twotower.config.naming import run_name
    from twotower.reporting.run_page import report_run

    config = conf.compose("train", overrides)
    result: Result = conf.build(config).run(run_name(overrides, config), report_run)
    return result
