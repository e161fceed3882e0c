"""Files as they come: what is read, and what is refused with its line and the key to change."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zipfile
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from test_log_file import log_file  # type: ignore[import-not-found]

from twotower.core.errors import ConfigError, DataError

# Without the time, which would be part of the names of tests.
gzipped = partial(gzip.compress, mtime=0)

HEADER = "who,what,when,stars\n"
ROWS = "ann,7,2,4.5\nbob,8,1,3\n"
BOTH = [("bob", 8, 3.0, 1), ("ann", 7, 4.5, 2)]
PLACES = {"user": 1, "item": 2, "timestamp": 3, "rating": 4, "weight": None}


def load(path: Path, content: str | bytes, **changes: object) -> list[tuple[object, ...]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    rows: list[tuple[object, ...]] = log_file(path, **changes).load().log.rows()
    return rows


def refusal(path: Path, content: str | bytes, **changes: object) -> str:
    with pytest.raises(DataError) as error:
        load(path, content, **changes)
    text = str(error.value)
    assert str(path) in text
    assert "dataset." in text
    return text


@pytest.mark.parametrize(
    "content",
    [
        f"{HEADER}\n{ROWS}\n  \n\n",
        f"\n\n{HEADER}{ROWS}".rstrip(),
        (HEADER + ROWS).replace("\n", "\r\n"),
        (HEADER + ROWS).replace("\n", "\r"),
        f"\ufeff{HEADER}{ROWS}",
        "who , what, when,\tstars\n ann , 7 , 2 ,4.5 \nbob,8,1,3\t\n",
        '"who","what","when","stars"\n"ann",7,"2",4.5\nbob,8,1,3\n',
    ],
)
def test_what_any_reader_overlooks(tmp_path: Path, content: str) -> None:
    assert load(tmp_path / "log.csv", content) == BOTH


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.csv.bz2", bz2.compress((HEADER + ROWS).encode())),
        ("log.csv.xz", lzma.compress((HEADER + ROWS).encode())),
        ("two.csv.gz", gzipped(HEADER.encode()) + gzipped(ROWS.encode())),
        ("packed.csv", gzipped((HEADER + ROWS).encode())),
        ("plain.csv.gz", HEADER + ROWS),
        ("a b=[1]*?#é.csv", HEADER + ROWS),
    ],
)
def test_compression_is_recognised_by_content(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    assert load(tmp_path / name, content) == BOTH


@pytest.mark.parametrize(
    ("name", "separator", "mark"),
    [
        ("u.data", "tab", "\t"),
        ("u.data", "\\t", "\t"),
        ("u.data", "\\\\t", "\t"),
        ("ratings.dat", "::", "::"),
        ("log.csv", "|", "|"),
        ("log.csv", "¦", "¦"),
        ("log.csv", None, ","),
    ],
)
def test_files_without_a_header(
    tmp_path: Path, name: str, separator: str | None, mark: str
) -> None:
    rows = ROWS.replace(",", mark)
    changes = {"header": False, "separator": separator, "columns": PLACES}
    assert load(tmp_path / name, rows, **changes) == BOTH


def test_each_file_may_be_written_in_its_own_way(tmp_path: Path) -> None:
    (tmp_path / "items.tsv").write_bytes('what\tname\n7\t"Jäws\n8\tUp\n'.encode("latin-1"))
    data = log_file(
        tmp_path / "u.data",
        **{"header": {"log": False, "items": True}, "separator": {"log": "::", "items": None}},
        **{"quote": {"log": '"', "items": None}, "encoding": {"log": "utf-8", "items": "latin-1"}},
        columns=PLACES | {"item": 2},
        items_path=str(tmp_path / "items.tsv"),
    )
    (tmp_path / "u.data").write_text(ROWS.replace(",", "::"))
    with pytest.raises(DataError, match=r"items.tsv has no column '2' \(dataset\.columns\.item\)"):
        data.load()
    (tmp_path / "items.tsv").write_bytes('2\tname\n7\t"Jäws\n8\tUp\n'.encode("latin-1"))
    items = data.load().items
    assert items is not None
    assert items.rows() == [(7, '"Jäws'), (8, "Up")]
    with pytest.raises(ConfigError, match=r"dataset\.header: got .* has no value for items; must"):
        log_file(tmp_path / "u.data", header={"log": False}, items_path="items.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{HEADER}{ROWS}x,1,2,3,4\n{ROWS}", "line 4 has 5 fields, the first row has 4: 'x,1,2,3,"),
        (f"{HEADER}\n\nx,1\n{ROWS}", "line 4 has 2 fields, the first row has 4: 'x,1'"),
        (f"{HEADER}{ROWS}x", "line 4 has 1 field, the first row has 4 (the file may have been cut"),
        (f'{HEADER}"Star 1,7,2,4\n{ROWS}', "line 2 begins a row with an unbalanced quote"),
        (f'{HEADER}"Star" 1,7,2,4\n{ROWS}', "line 2 begins a row with an unbalanced quote"),
        (f'{HEADER}"Star 1,7,2,4\n"Late,7,2,4\n', "line 2 begins a row with an unbalanced quote"),
        (f'{HEADER}"Star 1,7,2,4\nLate",7,2,4\n', "column 'who' spans several lines in row 1"),
        ("who,what,when,stars,who\na,1,1,1,1\n", "the header names 'who' more than once"),
        ("who,what\nann,7\n", "has no column 'when' (dataset.columns.timestamp); it has 'who'"),
        (ROWS, "a file without a header needs dataset.header=false, and numbers for dataset.col"),
        ((HEADER + ROWS).replace(",", ";"), "is dataset.separator right?"),
        ((HEADER + ROWS).encode("utf-16"), "set dataset.encoding, such as utf-16"),
        ((HEADER + ROWS).encode("utf-16-le"), "line 1 holds a NUL byte"),
        (f"{HEADER}é,1,1,1\n".encode("latin-1"), "line 2 is not utf-8; set dataset.encoding, such"),
        (f"{HEADER}{ROWS}a\0,1,1,1\n", "line 4 holds a NUL byte"),
        (b"\x80\x00\xff" * 99, "it is binary, no text"),
        (b"\x1f\x8b" + b"\xff" * 99, "cannot be read: zlib inflate failed"),
        (gzipped(HEADER.encode() + ROWS.encode() * 99)[:-9], "Truncated compressed stream"),
        (bz2.compress(HEADER.encode())[:-4], "Truncated compressed stream"),
        (lzma.compress(HEADER.encode())[:-4], "ended before the end-of-stream marker"),
        (gzipped(gzipped(HEADER.encode())), "holds compressed twice"),
        (b"PK\x03\x04", "holds a zip archive or an Excel sheet"),
        (b"", "is empty: it holds not even a header"),
        ("\n \n", "is empty: it holds not even a header"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert message in refusal(tmp_path / "log.csv", content)


def test_quotes_can_be_text(tmp_path: Path) -> None:
    rows = load(tmp_path / "log.csv", f'{HEADER}"Star,7,2,4\n5" pipe,8,1,3\n', quote=None)
    assert [row[0] for row in rows] == ['5" pipe', '"Star']
    # Inside a field, and in pairs, they are no fault.
    rows = load(tmp_path / "log.csv", f'{HEADER}"a, ""b"" c",7,2,4\n5" pipe,8,1,3\n')
    assert [row[0] for row in rows] == ['5" pipe', 'a, "b" c']


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"separator": "\n"}, "dataset.separator: got '\\n'; must be one or more characters"),
        ({"separator": ""}, "dataset.separator: got ''; must be one or more characters"),
        ({"quote": "''"}, "dataset.quote: got \"''\"; must be one ASCII character, or null"),
        ({"encoding": "utf-9"}, "dataset.encoding: got 'utf-9'; must be an encoding of Python"),
        ({"encoding": "hex"}, "dataset.encoding: got 'hex'; must be an encoding of Python"),
    ],
)
def test_ways_to_write_that_there_are_not(changes: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as error:
        log_file(Path("log.csv"), **changes)
    assert str(error.value).startswith(key)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "gone.csv").symlink_to("nowhere.csv")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    for path, message in {
        str(tmp_path / "pipe.csv"): "is no regular file; pipes and devices cannot be read",
        "/dev/null": "is no regular file",
        str(tmp_path / "gone.csv"): "is a link to nothing",
        str(tmp_path / "loop.csv"): "Too many levels of symbolic links",
        "x" * 300: "File name too long",
        "~nobody-of-this-name/log.csv": "does not exist",
        "": "dataset.path is empty; it must name a file or directory",
    }.items():
        with pytest.raises(DataError, match=r"dataset\.path") as error:
            log_file(path).load()
        assert message in str(error.value)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "log.csv").write_text(HEADER + ROWS)
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(DataError, match=r"log.csv \(dataset.path\) cannot be read: Permission"):
        log_file(tmp_path / "log.csv").load()


def test_a_zip_archive_is_named(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("log.csv", HEADER + ROWS)
    assert "holds a zip archive" in refusal(tmp_path / "log.zip", packed.getvalue(), separator=",")


def frame() -> pl.DataFrame:
    return pl.DataFrame({"who": ["ann"] * 99, "what": range(99), "when": range(99), "stars": 1.0})


def test_damaged_parquet_is_refused_and_never_panics(tmp_path: Path) -> None:
    file = tmp_path / "log.parquet"
    frame().write_parquet(file)
    whole = file.read_bytes()
    for content in (whole[:-20], whole[: len(whole) // 2], b"", b"PAR1", HEADER.encode()):
        assert "cannot be read" in refusal(file, content)
    text = whole.replace(b"ann", b"\xf4nn")
    assert "cannot be read" in refusal(file, text)
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 255
        file.write_bytes(bytes(damaged))
        try:
            log_file(file).load()
        except DataError as error:
            assert str(file) in str(error)  # noqa: PT017


def test_parts_of_a_directory_are_each_read_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    part = frame()[:2]
    skipped = ("_temporary/0/a.parquet", ".hidden/a.parquet", "_x.parquet", ".y.parquet")
    for name in ("a.parquet", "s.parquet/part-0.snappy.PARQUET", "_day=1/b.parquet", *skipped):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        part.write_parquet(tmp_path / name)
    (tmp_path / "again.parquet").symlink_to("a.parquet")
    (tmp_path / "self").symlink_to(".")
    for marker in ("_SUCCESS", ".a.parquet.crc", "notes.txt"):
        (tmp_path / marker).touch()
    assert len(log_file(tmp_path).load().log) == 6
    assert f"skipped what is not called *.parquet: {tmp_path}/notes.txt" in caplog.text
    (tmp_path / "gone.parquet").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"gone\.parquet \(dataset\.path\) is a link to nothing"):
        log_file(tmp_path).load()


def test_a_directory_of_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    with pytest.raises(DataError, match=r"without a .parquet file in it; it has a\.csv; name a"):
        log_file(tmp_path).load()


def test_feature_parts_that_differ_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame().write_parquet(tmp_path / "log.parquet")
    parts = tmp_path / "items"
    parts.mkdir()
    pl.DataFrame({"what": [1], "price": [1]}).write_parquet(parts / "a.parquet")
    pl.DataFrame({"what": [2], "price": [1.5], "x": [1]}).write_parquet(parts / "b.parquet")
    data = log_file(tmp_path / "log.parquet", items_path=str(parts))
    items = data.load().items
    assert items is not None
    assert items.rows() == [(1, 1.0, None), (2, 1.5, 1)]
    assert f"{parts}/a.parquet and {parts}/b.parquet differ in the columns x" in caplog.text
    pl.DataFrame({"what": [3], "price": ["?"]}).write_parquet(parts / "c.parquet")
    with pytest.raises(DataError, match=r"c\.parquet: column 'price' has type String, in .*a\.par"):
        data.load()


def test_columns_of_lists(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "log.csv").write_text(HEADER + ROWS)
    (tmp_path / "items.csv").write_text("what,genres,n\n7,Comedy | Drama,1\n8,Action|,2\n9,|,3\n")
    changes = {"items_path": str(tmp_path / "items.csv")}
    items = log_file(tmp_path / "log.csv", lists={"genres": "|"}, **changes).load().items
    assert items is not None
    assert items["genres"].to_list() == [["Comedy", "Drama"], ["Action"], None]
    assert not caplog.records
    log_file(tmp_path / "log.csv", **changes).load()
    assert "column 'genres' has several values in a field, apart by '|'" in caplog.text
    with pytest.raises(DataError, match=r"dataset\.lists: no features have .* 'genre'; .*ge"):
        log_file(tmp_path / "log.csv", lists={"genre": "|"}, **changes).load()
    with pytest.raises(DataError, match=r"dataset\.lists: .*; set dataset\.items_path or"):
        log_file(tmp_path / "log.csv", lists={"genre": "|"}).load()
