"""How many of a row's values are at most a limit: compiled on the CPU, searched elsewhere."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from twotower.negative_sampling.ascending import AscendingRows


@given(
    rows=st.lists(st.lists(st.integers(0, 9), max_size=9), min_size=1, max_size=4),
    limits=st.lists(st.integers(0, 9), min_size=1, max_size=5),
)
def test_counts_are_those_of_a_loop(rows: list[list[int]], limits: list[int]) -> None:
    lengths = torch.tensor([len(row) for row in rows])
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    values = torch.tensor([value for row in rows for value in sorted(row)], dtype=torch.int64)
    asked = torch.arange(len(rows)).flip(0)
    counts = AscendingRows(offsets, values, 10).count_up_to(
        asked, torch.tensor([limits] * len(rows))
    )
    assert counts.tolist() == [
        [sum(value <= limit for value in rows[row]) for limit in limits] for row in asked.tolist()
    ]
