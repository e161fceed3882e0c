"""Data frames as the dataset of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twotower import config as conf
from twotower.core.errors import ConfigError
from twotower.dataset.given_frames import GivenFrames
from twotower.dataset.mapping import named_columns

__all__ = ["given_frames", "with_frames"]

_SELECTED = "dataset=frame"
_DIGEST = "dataset.digest"


def given_frames(*, interactions: Any, test: Any, users: Any, items: Any) -> GivenFrames | None:
    """Return the frames passed by a caller; None if there are none.

    Raises:
        ConfigError: There are others, but no interactions.
    """
    if interactions is not None:
        return GivenFrames(interactions, test, users, items)
    others = {"test": test, "users": users, "items": items}
    for name, frame in others.items():
        if frame is not None:
            raise ConfigError(f"{name}: got a frame without interactions; pass interactions=, too")
    return None


def with_frames(
    given: GivenFrames,
    overrides: Sequence[str],
    config_dir: str | Path | None,
    varying: Sequence[str] | None = None,
) -> list[str]:
    """Keep the frames on disk, and return overrides that select them as the dataset.

    Args:
        given: The frames.
        overrides: As on the command line.
        config_dir: A folder of the user's with further choices.
        varying: For a sweep the overrides that sweep over other keys, which are not returned.

    Raises:
        ConfigError: An override is wrong, or selects another dataset.
        DataError: A frame cannot be read.
    """
    for line in (*overrides, *(varying or ())):
        if line.lstrip("+").startswith("dataset=") and line != _SELECTED:
            raise ConfigError(f"{line}: got interactions= as well; must be one of the two")
    selected = [_SELECTED, *(line for line in overrides if line != _SELECTED)]
    lines = [*selected, f"{_DIGEST}=to_come"]
    if varying is not None:
        folder = None if config_dir is None else str(config_dir)
        source = conf.Source("train", folder, searchpath=conf.searchpath_of(lines))
        swept = conf.with_repeats(conf.with_baselines([*lines, *varying]))
        lines, *_ = conf.combinations(swept, source)
    node = conf.compose("train", lines, config_dir)["dataset"]
    columns = [name for name, _ in named_columns(node["columns"])]
    digest = given.keep(Path(node["frames_dir"]), columns)
    return [*selected, conf.render(_DIGEST, digest)]
