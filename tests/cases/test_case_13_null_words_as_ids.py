"""What exports write for a missing value is no id."""

from __future__ import annotations

from case_runner import Case


def test_null_words_are_refused(case: Case) -> None:
    text = " ".join(case.train("dataset.path=nullstr.csv", code=1).text.split())
    assert (
        "nullstr.csv: column 'user_id' has no id (null, NaN or empty, also as a word such" in text
    )
    assert "first in row 1 (counted from 1, without the header): 'NULL'" in text
