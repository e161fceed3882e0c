"""Leftovers of a Spark job in a Parquet folder are no rows."""

from __future__ import annotations

from case_runner import Case


def test_hidden_and_temporary_files_are_skipped(case: Case) -> None:
    output = case.train("dataset.path=pd").text
    assert "400 interactions" in output
    assert "40 users" in output
    assert "42 users" not in output
