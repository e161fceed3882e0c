"""What is kept on disk until the store has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from twotower.tracking.journal import Journal


@pytest.mark.parametrize("left", [b'["metrics", {"a": 1}]\n', b'["metrics", {"a": 1, "b', b"\n"])
def test_what_an_interrupted_write_leaves_is_overwritten(tmp_path: Path, left: bytes) -> None:
    journal = Journal.create(tmp_path)
    journal.append("metrics", a=1)
    with (journal.folder / "journal.jsonl").open("ab") as file:
        file.write(left)  # a Ctrl-C came before it was counted
    journal.append("end", status="KILLED")
    waiting = journal.waiting()
    assert [(entry.kind, entry.data) for entry in waiting] == [
        ("metrics", {"a": 1}),
        ("end", {"status": "KILLED"}),
    ]
    assert journal.ended
    journal.mark(waiting)
    assert not journal.has_waiting
    journal.close(remove=False)
    again = Journal(journal.folder)
    assert [entry.kind for entry in again.entries()] == ["metrics", "end"]
    assert not again.has_waiting
    again.close(remove=True)
    assert not journal.folder.exists()
