"""Files and folders are written in full or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from twotower.core.files import read_json, write_atomically, write_json


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    for text in ("first", "second"):
        write_atomically(path, lambda file, text=text: file.write_text(text))  # type: ignore[misc]
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_replaces_a_folder_with_files(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        folder.mkdir()
        (folder / "new").touch()

    path = tmp_path / "entry"
    path.mkdir()
    (path / "old").touch()
    write_atomically(path, write)
    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    def fail(file: Path) -> None:
        file.write_text("half")
        raise OSError("disk full")

    path = tmp_path / "some.json"
    write_json(path, {"whole": True})
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert read_json(path) == {"whole": True}
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_keeps_pointing_to_the_file_that_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    link = tmp_path / "link"
    link.symlink_to("target")
    write_atomically(link, lambda file: file.write_text("new"))
    assert link.is_symlink()
    assert (tmp_path / "target").read_text() == "new"


@pytest.mark.parametrize("text", [None, "", '{"cut": '])
def test_a_missing_or_damaged_json_file_reads_as_none(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "some.json"
    if text is not None:
        path.write_text(text)
    assert read_json(path) is None
