"""A sweep on the terminal."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from sweep_examples import MONITOR, drawn, grid, report, trial_result  # type: ignore[import-not-found]

from twotower.reporting.sweep.report import SweepReport
from twotower.reporting.sweep.terminal import print_sweep
from twotower.sweeping.sweep_table import SweepTable


def printed(shown: SweepReport, width: int | None = None) -> list[str]:
    """Lines on a terminal of `width`; into a file of 80 columns where that is None."""
    file = io.StringIO()
    console = Console(
        file=file, width=width or 80, force_terminal=width is not None, color_system=None
    )
    print_sweep(shown, console)
    return file.getvalue().splitlines()


def with_lost() -> SweepTable:
    """4 x 3 settings, of which one failed and one diverged."""
    whole = list(grid([16, 32, 64, 128], [1, 5, 10]).results)
    for n, state, error in ((0, "failed", "no memory for [8, 8]"), (11, "diverged", "nan")):
        whole[n] = trial_result(whole[n].varied, 0.1, state=state, error=error)
    return SweepTable(tuple(whole), MONITOR)


def row(lines: list[str], rank: int) -> list[str]:
    of_tables = [line for line in lines if line.startswith(" ")]
    found = [line for line in of_tables if line.split()[:1] == [str(rank)]]
    return " ".join(found).split()  # in a narrow terminal a setting has a line in several tables


def test_the_best_setting_is_first() -> None:
    # 0.1 + log2(32) / 100 + 5 / 1000 = 0.155; 2367 * 32 = 75.7k; 3 + 5 + 32 / 10 = 11.2 s
    lines = printed(report(grid([16, 32], [1, 5])))
    (header,) = [line for line in lines if "NDCG@10" in line and "emb_dim" in line]
    best = "1 32 5 0.1550 ± 0.0400 0.5000 0.1950 75.7k 11.2 10 1"
    names = "# emb_dim num_negatives NDCG@10 HitRate@10 Coverage@10 params train s epoch group"
    assert header.split() == names.split()
    assert row(lines, 1) == best.split()
    assert any(line.startswith("± half the interval over users; group:") for line in lines)


def test_seeds_are_one_line_with_their_spread() -> None:
    # seeds 0 and 1 add 0 and 0.001: 0.1 + 0.05 + 0.005 + 0.0005, spread 0.001 / sqrt(2)
    lines = printed(report(grid([16, 32], [5], seeds=2)))
    assert row(lines, 1)[3:6] == ["0.1555", "±", "0.0007"]
    assert "10-11" in row(lines, 1)
    assert "4 trials: 4 finished" in lines


@pytest.mark.parametrize("table", [with_lost(), grid([16, 32, 64], [1, 5], seeds=3)])
def test_a_terminal_of_100_columns_holds_the_table(table: SweepTable) -> None:
    lines = printed(report(table), width=100)
    end = next(n for n, line in enumerate(lines) if line.startswith("±"))
    assert max(len(line) for line in lines[:end]) <= 100
    assert "…" not in "".join(lines)
    assert row(lines, 1)[4] == "±"  # the monitor keeps its interval


@pytest.mark.parametrize("width", [None, 40, 100, 200])
@pytest.mark.parametrize("table", [with_lost(), drawn(60)])
def test_nothing_is_cut_off(table: SweepTable, width: int | None) -> None:
    lines = printed(report(table), width)
    assert "…" not in "".join(lines)
    for rank, setting in enumerate(table.settings, start=1):
        mean = setting.mean(MONITOR)
        expected = setting.results[0].state if mean is None else f"{mean:.4f}"
        assert expected in row(lines, rank)


def test_a_file_gets_every_interval_on_one_line() -> None:
    table = grid([16], [1, 5])
    for each in table.results:
        each.intervals["val/hitrate_at_10"] = (0.4, 0.6)
    assert row(printed(report(table)), 1)[3:9] == ["0.1450", "±", "0.0400", "0.5000", "±", "0.1000"]


def test_what_broke_is_named_with_its_error_as_it_is() -> None:
    lines = printed(report(with_lost()), width=100)
    assert "failed   emb_dim=16 num_negatives=1: no memory for [8, 8]" in lines
    assert "diverged emb_dim=128 num_negatives=10: nan" in lines
    assert "12 trials: 10 finished, 1 diverged, 1 failed" in lines


def test_the_test_is_shown_with_the_baselines_and_as_scored_once() -> None:
    lines = printed(report(grid([16, 32], [1, 5])))
    (title,) = [line for line in lines if line.startswith("test, scored once")]
    test = lines[lines.index(title) :]
    (own,) = [line for line in test if line.startswith(" emb_dim=32 num_negatives=5")]
    (other,) = [line for line in test if line.startswith(" popularity")]
    assert own.split()[2:] == ["0.1641", "±", "0.0494", "0.1726"]
    assert other.split()[1:] == ["0.1381", "±", "0.0418", "0.0476"]
    assert own.index("±") == other.index("±")
    untested = printed(report(grid([16, 32], [1, 5]), test_rows=[]))
    assert not any("test, scored once" in line for line in untested)


def test_lines_to_paste_are_not_broken() -> None:
    long = "twotower train " + " ".join(f"some.key.{n}=[{n},{n}]" for n in range(20))
    shown = report(grid([16, 32], [1, 5]), best_command=long, warnings=["not better than [x]."])
    for width in (None, 60):
        lines = printed(shown, width)
        assert f"best     {long}" in lines
        assert "WARNING: not better than [x]." in lines
        assert "open     twotower ui" in lines


def test_warnings_are_bold_and_red() -> None:
    file = io.StringIO()
    console = Console(file=file, width=100, force_terminal=True, color_system="standard")
    print_sweep(report(grid([16], [1, 5]), warnings=["beware"]), console)
    assert "\x1b[1;31mWARNING: beware\x1b[0m" in file.getvalue()


def test_a_sweep_in_which_nothing_finished() -> None:
    lost = trial_result({"a.b": 1}, 0.1, state="failed", error="no")
    for results in ((), (lost,)):
        table = SweepTable(results, MONITOR)
        lines = printed(replace(report(grid([16], [1])), table=table, test_rows=[], groups=None))
        assert any(line.startswith(f"{len(results)} trial") for line in lines)
