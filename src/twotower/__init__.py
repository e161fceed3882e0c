"""twotower: config-driven experiments with two-tower dot-product recommenders.

>>> import twotower
>>> result = twotower.run(["tower.emb_dim=32"])  # doctest: +SKIP
>>> result.metrics["test/ndcg_at_10"]  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twotower.running.result import Result

__all__ = ["__version__", "run"]

__version__ = version("twotower")


def run(overrides: Sequence[str] = ()) -> Result:
    """Run `twotower train` with these overrides, such as `["tower.emb_dim=32"]`, in this process.

    Gives back metrics, run id, frames and `recommend()`. Raises ConfigError before any data is
    read where an override is wrong, and DataError where the data is.
    """
    # Imported here: `import twotower` itself stays quick.
    from twotower import config as conf
    from twotower.config.naming import run_name

    config = conf.compose("train", overrides)
    result: Result = conf.build(config).run(run_name(overrides, config))
    return result
