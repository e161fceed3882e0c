"""Optimizers by rows end where their dense forms do, whichever rows each step touches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from twotower.training.fused.optimizer import row_optimizer, why_not_by_rows

ROWS, WIDTH = 6, 3
OPTIMIZERS: list[Callable[..., torch.optim.Optimizer]] = [
    partial(torch.optim.Adam, lr=0.05),
    partial(torch.optim.Adam, lr=0.05, betas=(0.5, 0.9), eps=1e-10),
    partial(torch.optim.AdamW, lr=0.05, weight_decay=0.1),
    partial(torch.optim.SGD, lr=0.1),
    partial(torch.optim.SGD, lr=0.1, momentum=0.9),
    partial(torch.optim.SGD, lr=0.1, momentum=0.8, nesterov=True),
    partial(torch.optim.Adagrad, lr=0.1, lr_decay=0.01),
]
EACH = pytest.mark.parametrize("make", OPTIMIZERS, ids=lambda make: str(make.keywords))


@EACH
@settings(max_examples=25, deadline=None)
@given(
    # The rows that each step touches, often none or all, in one to three epochs.
    epochs=st.lists(
        st.lists(st.sets(st.integers(0, ROWS - 1)), min_size=1, max_size=40),
        min_size=1,
        max_size=3,
    ),
    falls=st.sampled_from([0.0, 0.01, 0.3]),
    scale=st.sampled_from([1e-4, 1.0]),
    seed=st.integers(0, 9),
)
def test_rows_end_where_the_dense_form_does(
    make: Callable[..., torch.optim.Optimizer],
    epochs: list[list[set[int]]],
    falls: float,
    scale: float,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    start = torch.randn(ROWS, WIDTH)
    dense, sparse = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    expected, own = make([dense]), make([sparse])
    rows_of = row_optimizer(own)
    base = expected.param_groups[0]["lr"]
    step = 0
    for touched in epochs:
        rows_of.start_epoch(len(touched))
        for each in touched:
            rate = base / (1 + falls * step)
            step += 1
            rows = np.array(sorted(each), np.int64)
            gradient = scale * torch.randn(len(rows), WIDTH)
            dense.grad = torch.zeros(ROWS, WIDTH)
            dense.grad[rows] = gradient
            rows_of.catch_up(0, rows)
            torch.testing.assert_close(sparse[rows], dense[rows], rtol=1e-4, atol=1e-5)
            rows_of.start_step(rate)
            rows_of.update(0, rows, gradient.numpy())
            rows_of.finish_step()
            expected.param_groups[0]["lr"] = rate
            expected.step()
        rows_of.finish_epoch()
        torch.testing.assert_close(sparse, dense, rtol=1e-4, atol=1e-5)
    for name, value in expected.state[dense].items():
        torch.testing.assert_close(own.state[sparse][name], value, rtol=1e-4, atol=1e-6 * scale)


def test_adam_catches_up_by_hand() -> None:
    # b1 = .5, b2 = .64, lr 1, no eps to speak of: after a gradient of 1 in step 1, m = .5 and
    # v = .36. Step 1 moves by m / (1 - .5) / sqrt(v / (1 - .64)) = 1. In step 2 without a gradient
    # m = .25 and v = .2304: .25 / .75 / sqrt(.2304 / .5904) = .5336.
    weight = torch.nn.Parameter(torch.zeros(1, 1))
    optimizer = torch.optim.Adam([weight], lr=1.0, betas=(0.5, 0.64), eps=1e-20)
    rows = row_optimizer(optimizer)
    rows.start_epoch(2)
    row = np.zeros(1, np.int64)
    rows.start_step(1.0)
    rows.update(0, row, np.ones((1, 1), np.float32))
    rows.finish_step()
    assert weight.item() == pytest.approx(-1.0)
    rows.start_step(1.0)
    rows.finish_step()
    assert weight.item() == pytest.approx(-1.0)
    rows.catch_up(0, row)
    assert weight.item() == pytest.approx(-1.5336, abs=1e-4)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (partial(torch.optim.RMSprop, lr=0.1), "RMSprop has no form that updates the rows"),
        (partial(torch.optim.Adam, weight_decay=0.1), "weight_decay of Adam changes every row"),
        (partial(torch.optim.Adam, amsgrad=True), "amsgrad of Adam"),
        (partial(torch.optim.Adam, betas=(0.999, 0.999)), "fades too slowly"),
        (partial(torch.optim.SGD, lr=1.0, momentum=0.999), "fades too slowly"),
        (partial(torch.optim.SGD, lr=1.0, momentum=0.5, dampening=0.1), "dampening of SGD"),
    ],
)
def test_what_has_no_form_by_rows_is_named(
    make: Callable[..., torch.optim.Optimizer], why: str
) -> None:
    reason = why_not_by_rows(make([torch.nn.Parameter(torch.zeros(1))]))
    assert reason is not None
    assert why in reason


@settings(max_examples=15, deadline=None)
@given(
    touched=st.lists(st.sets(st.integers(0, ROWS - 1)), min_size=1, max_size=12),
    seed=st.integers(0, 9),
)
def test_sparse_adam_is_that_of_torch(touched: list[set[int]], seed: int) -> None:
    torch.manual_seed(seed)
    start = torch.randn(ROWS, WIDTH)
    theirs, ours = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    expected, own = (torch.optim.SparseAdam([each], lr=0.05) for each in (theirs, ours))
    rows_of = row_optimizer(own)
    rows_of.start_epoch(len(touched))
    for used in touched:
        rows = np.array(sorted(used), np.int64)
        gradient = torch.randn(len(rows), WIDTH)
        theirs.grad = torch.sparse_coo_tensor(
            torch.tensor(rows)[None], gradient, (ROWS, WIDTH), check_invariants=True
        )
        rows_of.catch_up(0, rows)
        rows_of.start_step(0.05)
        rows_of.update(0, rows, gradient.numpy())
        rows_of.finish_step()
        expected.step()  # type: ignore[no-untyped-call]
    rows_of.finish_epoch()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    for name, value in expected.state[theirs].items():
        found, wanted = torch.as_tensor(own.state[ours][name]), torch.as_tensor(value)
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-7, check_dtype=False)


@EACH
def test_the_documented_optimizers_have_one(make: Callable[..., torch.optim.Optimizer]) -> None:
    assert why_not_by_rows(make([torch.nn.Parameter(torch.zeros(1))])) is None
