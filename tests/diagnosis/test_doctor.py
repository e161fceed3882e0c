"""`twotower doctor` and `twotower.doctor`."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import twotower
from twotower.cli import main
from twotower.core.errors import ConfigError

N = 400


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    """100 users take 4 of 25 items each, a day apart."""
    return pl.DataFrame(
        {
            "user_id": [row // 4 for row in range(N)],
            "item_id": [(row // 4 + row % 4) % 25 for row in range(N)],
            "timestamp": [1_700_000_000 + 86_400 * (row % 4) + row for row in range(N)],
        }
    )


@pytest.fixture
def own(rows: pl.DataFrame, tmp_path: Path) -> list[str]:
    rows.write_parquet(tmp_path / "log.parquet")
    return [
        *("dataset=file", f"dataset.path={tmp_path}/log.parquet", "preprocessing=none"),
        *("split=last_n", f"output_dir={tmp_path}/outputs"),
    ]


def test_prints_a_plain_table_of_80_columns_and_writes_a_page(
    own: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "new" / "page.html"
    main(["doctor", *own, "--html", str(page)])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[:-1])) <= 80  # the last one has the path
    assert "\x1b" not in "".join(lines)
    assert lines[-2].endswith(" ok")
    html = page.read_text()
    assert "400 interactions of 100 users with 25 items" in html
    assert "http" not in html.replace("https://", "http://").partition("</style>")[2]
    assert not (tmp_path / "outputs").exists()  # nothing is trained or tracked


def test_errors_exit_with_1_and_ids_are_never_markup(
    own: list[str], rows: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pl.DataFrame({"item_id": ["<b>x</b>"], "color": ["red"]}).write_csv(tmp_path / "items.csv")
    page = tmp_path / "page.html"
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *own, f"dataset.items_path={tmp_path}/items.csv", f"html={page}"])
    assert ended.value.code == 1
    assert "error" in capsys.readouterr().out
    assert "&lt;b&gt;x&lt;/b&gt;" in page.read_text()


def test_takes_the_keys_of_train_and_their_errors() -> None:
    with pytest.raises(SystemExit, match=r"split\.nn.*did you mean"):
        main(["doctor", "split=last_n", "split.nn=3"])
    with pytest.raises(SystemExit, match=r"--htm.*did you mean --html"):
        main(["doctor", "--htm=page.html"])


def test_a_streamed_log_is_examined(own: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = twotower.doctor([*own, "dataset.streaming=true"])
    assert whole["size"].found == twotower.doctor(own)["size"].found
    monkeypatch.setattr("twotower.diagnosis.examined.ROWS_PER_BUCKET", 100)
    some = twotower.doctor([*own, "dataset.streaming=true"])
    assert some["size"].found.startswith("a sample, 1 of 4 groups of users")
    assert 0 < some.facts["users"] < 100
    assert some.facts["interactions"] == 4 * some.facts["users"]


def test_frames_are_examined(rows: pl.DataFrame, tmp_path: Path) -> None:
    options = ["preprocessing=none", "split=last_n", f"output_dir={tmp_path}"]
    diagnosis = twotower.doctor(options, interactions=rows.to_pandas(), html=tmp_path / "a.html")
    assert diagnosis.ok
    assert diagnosis.facts["interactions"] == N
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    with pytest.raises(ConfigError, match="got a frame without interactions"):
        twotower.doctor(options, test=rows)
