"""A loss that no positive has a negative for trains nothing: refused, or reported."""

from __future__ import annotations

import pytest
from case_runner import Case


@pytest.mark.parametrize("loss", ["bpr", "bce", "sampled_softmax"])
@pytest.mark.parametrize("sampler", ["in_batch", "cross_batch", "mixed", "hard"])
def test_rows_alone_are_refused_before_data_is_read(case: Case, sampler: str, loss: str) -> None:
    keys = {
        "in_batch": (),
        "cross_batch": ("negative_sampling.num_batches=1",),
        "mixed": ("~negative_sampling.components.shared",),
        "hard": ("negative_sampling@negative_sampling.candidates=in_batch",),
    }
    text = case.call(
        "train",
        "dataset=file",
        "dataset.path=absent.csv",
        f"negative_sampling={sampler}",
        *keys[sampler],
        f"loss={loss}",
        "trainer.batch_size=1",
        "output_dir=out",
        code=1,
    ).text
    assert "trainer.batch_size: got 1" in text
    assert "negative_sampling" in text
