"""Report how many ids of one source occur in another that it is joined with."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from twotower.core.errors import DataError
from twotower.split.base import Split
from twotower.types import ITEM, USER, Interactions

_RULE = (
    "Ids are compared as text: 7, 7.0 and '7' are one id, '007' is another; write them alike in "
    "both."
)


def match_notes(interactions: Interactions, split: Split) -> Iterator[str]:
    """Return a sentence per pair of sources of `interactions`.

    Raises:
        DataError: no id of a feature table matches; or none of a given test part, if `split`
            drops cold ids, so that nothing would be left, or neither users nor items match.
    """
    log, test = interactions.log, interactions.test
    if test is not None:
        drops = {USER: split.drop_cold_users, ITEM: split.drop_cold_items}
        yield from _test_in_log(interactions, test, drops)
    logs = [log] if test is None else [log, test]
    for key, name, features in (
        (USER, "users", interactions.users),
        (ITEM, "items", interactions.items),
    ):
        if features is None:
            continue
        ids = pl.concat([part[key] for part in logs]).unique()
        found = int(ids.is_in(features[key].implode()).sum())
        if not found:
            raise DataError(_nothing(interactions, features[key], name, ids, "log", name))
        more = len(features) - found
        others = f"; features of {more:,} others are known" if more else ""
        yield f"{found:,} of {len(ids):,} {name} have features{others}"


def _test_in_log(
    interactions: Interactions, test: pl.DataFrame, drops: dict[str, bool]
) -> Iterator[str]:
    counts = []
    nothing = not any(test[key].is_in(interactions.log[key].implode()).any() for key in drops)
    for key, name in ((USER, "users"), (ITEM, "items")):
        ids, known = test[key].unique(), interactions.log[key].unique()
        found = int(ids.is_in(known.implode()).sum())
        if nothing or (not found and drops[key]):
            raise DataError(_nothing(interactions, ids, "test", known, "log", name))
        counts.append(f"{found:,} of {len(ids):,} {name}")
    yield f"test: {' and '.join(counts)} are in the log"


def _nothing(
    interactions: Interactions, ids: pl.Series, part: str, known: pl.Series, of: str, kind: str
) -> str:
    one, other = (values.unique().sort()[0] for values in (ids, known))
    return (
        f"None of the {ids.n_unique():,} {kind} of {_source(interactions, part)}, such as {one!r}, "
        f"is among the {known.n_unique():,} of {_source(interactions, of)}, such as {other!r}. "
        f"{_RULE}"
    )


def _source(interactions: Interactions, part: str) -> str:
    return interactions.sources.get(part, f"the dataset's {part}")
