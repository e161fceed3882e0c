"""A compressed file that broke off is refused with its name and key."""

from __future__ import annotations

from case_runner import Case


def test_a_truncated_log_is_refused(case: Case) -> None:
    output = case.train("dataset.path=truncated.csv.gz", code=1).text
    assert "truncated.csv.gz (dataset.path) cannot be read: Truncated compressed stream" in output
