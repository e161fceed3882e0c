"""What an examination has found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from twotower.core.errors import DataError

__all__ = ["Diagnosis", "Finding", "Status", "failed", "share"]

Status = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: The check, such as `time order`.
        status: `ok`, `warning` (results may mislead) or `error` (a run fails or means nothing).
        found: What was found, with its numbers.
        meaning: What it means for a run; empty where nothing is wrong.
        remedy: The keys that fix it; empty where nothing is wrong.
    """

    check: str
    status: Status
    found: str
    meaning: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """The findings about one config, in the order of the checks.

    Attributes:
        name: The choices of dataset and split.
        origin: Where the data came from.
        facts: Sizes and shares by name, such as `interactions`.
        findings: One per check.

    >>> import twotower
    >>> diagnosis = twotower.doctor(["dataset=synthetic", "dataset.n_interactions=4000"])
    >>> diagnosis.ok, diagnosis.facts["interactions"]
    (True, 4000)
    """

    name: str
    origin: str
    facts: Mapping[str, float]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not self.errors

    @property
    def errors(self) -> list[Finding]:
        """The findings that are errors."""
        return [finding for finding in self.findings if finding.status == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """The findings that are warnings."""
        return [finding for finding in self.findings if finding.status == "warning"]

    def __getitem__(self, check: str) -> Finding:
        """Return the finding of a check. Raise KeyError if it was not made."""
        return {finding.check: finding for finding in self.findings}[check]

    def to_frame(self) -> pl.DataFrame:
        """Return one row per finding: `check`, `status`, `found`, `meaning`, `remedy`."""
        return pl.DataFrame([vars(finding) for finding in self.findings])


def share(count: int, of: int) -> str:
    """Return `12 of 340 (3.5%)`."""
    return f"{count:,} of {of:,} ({count / max(of, 1):.1%})"


def failed(check: str, error: DataError, remedy: str = "") -> Finding:
    """Return the finding of a check that the data did not get through."""
    return Finding(check, "error", str(error), "A run stops with this error.", remedy)
