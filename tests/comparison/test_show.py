from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from made_models import METRIC, model, pairs, users  # type: ignore[import-not-found]

from twotower.comparison import Comparison, Model
from twotower.core.numbers import human
from twotower.reporting.comparison import print_compared


def comparison(alpha: float = 0.05) -> Comparison:
    return Comparison(METRIC, 0.02, 200, alpha, 0.9, 0, 2, 2)


def steps(n: int, size: float = 0.5) -> list[Model]:
    """The best first; each is worse than the one before it by `size`, with noise of up to 1."""
    generator = np.random.default_rng(0)
    seen = list(range(1, 31))
    relevant = [pairs((1, 10, 3, 1), (1, 11, 40, None))]
    return [
        model(
            f"emb_dim={2**place} metrics=[ndcg]",
            users((place * size + generator.random(30)).tolist(), n_seen=seen),
            relevant=relevant,
            parameters=1000.0 * 2**place,
        )
        for place in range(n)
    ][::-1]


def shown(models: list[Model], capsys: pytest.CaptureFixture[str], alpha: float = 0.05) -> str:
    print_compared(comparison(alpha).compare(models, METRIC))
    return capsys.readouterr().out


def test_tables_fit_eighty_columns_and_names_keep_their_brackets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    output = shown(steps(3), capsys)
    assert max(map(len, output.splitlines())) <= 80
    assert "hitrate_at_2, 30 users, 90% intervals" in output
    assert "metrics=[ndcg]" in output
    assert "3 of 3 pairs differ significantly" in output
    assert "hitrate_at_2 by length of the user's history" in output
    assert "1-15" in output
    assert "recall@2 of relevant pairs by the item's interactions in train" in output


@pytest.mark.parametrize("columns", range(30, 90, 5))
def test_a_narrow_terminal_cuts_no_digits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    compared = comparison().compare(steps(3), METRIC)
    print_compared(compared)
    output = capsys.readouterr().out
    assert "…" not in output
    for row in compared.models.iter_rows(named=True):
        start = f"{row['mean']:.4f}  {row['low']:.4f}-{row['high']:.4f}"
        (line,) = [line for line in output.splitlines() if start in line]
        assert line.split()[-1] == human(row["parameters"])


def test_few_pairs_are_all_shown(capsys: pytest.CaptureFixture[str]) -> None:
    output = shown(steps(3, size=0), capsys)
    assert "0 of 3 pairs differ significantly" in output
    for pair in ("#1     #2", "#1     #3", "#2     #3"):
        assert pair in output


def test_of_many_pairs_the_significant_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    # 22 models a whole apart: all 231 pairs differ.
    output = shown(steps(22, size=1), capsys)
    assert "231 of 231 pairs differ significantly" in output
    assert "... and 211 more pairs" in output
    assert "... and 2 more models" in output
    assert "emb_dim=2097152" in output  # the best
    assert "emb_dim=1 " not in output  # the last
    assert "Note: 4,620 permutations were drawn, not 200" in output
    output = shown(steps(6, size=0), capsys)
    assert "0 of 15 pairs differ significantly" in output
    assert "better" not in output


def test_the_headline_comes_last(capsys: pytest.CaptureFixture[str]) -> None:
    best = steps(1)[0]
    # 0.001 worse in the mean, with +0.01 and -0.012 in turn: 9 of 10 draws are as far.
    changes = [0.01, -0.012] * 15
    values = (best.repeats[0].per_user[METRIC] + pl.Series(changes)).to_list()
    twin = model("small", users(values, n_seen=list(range(1, 31))), parameters=500)
    print_compared(comparison().compare([best, twin], METRIC))
    assert capsys.readouterr().out.splitlines()[-1] == (
        "small is no worse than the best, emb_dim=1 metrics=[ndcg], within 2%, at 1/2 of its "
        "parameters"
    )
