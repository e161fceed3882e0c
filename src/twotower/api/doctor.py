"""`twotower.doctor`: what is wrong with data, split and settings, before a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twotower.diagnosis import Diagnosis

__all__ = ["doctor"]


def doctor(
    overrides: Sequence[str] = (),
    *,
    interactions: Any = None,
    test: Any = None,
    users: Any = None,
    items: Any = None,
    config_dir: str | Path | None = None,
    html: str | Path | None = None,
) -> Diagnosis:
    """Examine the data of a run, its split and its settings, as `twotower doctor` does.

    Nothing is trained. The arguments are those of `twotower.run`.

    Args:
        overrides: As on the command line, such as `["split=last_n"]`.
        interactions: The log as a data frame of pandas or Polars; None reads the dataset that
            `overrides` choose.
        test: The test part of a log that is split already.
        users: Features of users.
        items: Features of items.
        config_dir: A folder with choices of your own.
        html: Where the findings are written as a page; None writes none.

    Returns:
        The findings: `ok`, `errors`, `warnings`, `facts` and `to_frame()`.

    Raises:
        ConfigError: An override is wrong.
        DownloadError: The data cannot be found. Data that cannot be read is a finding.

    >>> import pandas as pd
    >>> import twotower
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [1, 2, 1, 2], "timestamp": 0})
    >>> diagnosis = twotower.doctor(["preprocessing=none", "split=last_n"], interactions=log)
    >>> [finding.check for finding in diagnosis.errors]
    ['read']
    """
    from twotower import config as conf
    from twotower.api.frames import given_frames, with_frames
    from twotower.diagnosis import diagnose
    from twotower.reporting.diagnosis import save_page

    given = given_frames(interactions=interactions, test=test, users=users, items=items)
    lines = conf.lines_of(overrides)
    if given is not None:
        lines = with_frames(given, lines, config_dir)
    diagnosis: Diagnosis = diagnose(conf.build(conf.compose("train", lines, config_dir)))
    if html is not None:
        save_page(diagnosis, html)
    return diagnosis
