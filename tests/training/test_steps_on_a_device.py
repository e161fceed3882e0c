"""A training step on a GPU waits for nothing: the host reads no number, no mask and no size.

No GPU is needed: a tensor on torch's device `meta` has a shape and no values, so that reading one
raises.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_trainer import checkerboard  # type: ignore[import-not-found]
from torch import Tensor, nn

from twotower.config import CONF_DIR, build, compose
from twotower.model import TwoTower
from twotower.negative_sampling.ascending import AscendingRows
from twotower.training.batches import Batches, Pasts
from twotower.types import ItemLists

META = torch.device("meta")
SAMPLERS = sorted(path.stem for path in Path(CONF_DIR, "negative_sampling").glob("*.yaml"))
LOSSES = sorted(path.stem for path in Path(CONF_DIR, "loss").glob("*.yaml"))
ENCODERS = sorted(path.stem for path in Path(CONF_DIR, "tower", "encoder").glob("*.yaml"))


class OnMeta(torch.Generator):
    """A generator of the CPU, since `meta` has none, from which nothing is drawn on the CPU."""

    device = META


def moved(value: Any) -> Any:
    """Return a copy of `value` whose tensors, wherever they are in it, are on `meta`."""
    if isinstance(value, nn.Parameter):
        return nn.Parameter(moved(value.data), requires_grad=value.requires_grad)
    if isinstance(value, Tensor):
        return value.detach().to(META)
    if isinstance(value, torch.device):
        return META
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(moved(each) for each in value)
    if isinstance(value, dict):
        return {key: moved(each) for key, each in value.items()}
    if type(value).__module__.startswith(("twotower", "torch.nn")):
        if isinstance(value, ItemLists):
            assert value._keys  # once for all batches
        new = copy.copy(value)
        new.__dict__.update(moved(dict(vars(value))))
        if isinstance(new, AscendingRows):
            new._keys = new._values  # made where there is a GPU; of that size
        return new
    return value


def step(*overrides: str) -> None:
    """Draw negatives, score, and step the optimizer: as training does, without values."""
    config = build(compose("train", [*overrides, "trainer.kernel=autograd"]))
    fold = checkerboard()
    model = TwoTower.build(
        config.tower, users=fold.users, items=fold.items, seed=0, train=fold.train
    )
    length = model.history_length
    batches = Batches(
        fold.train.users,
        fold.train.items,
        config.negative_sampling(train=fold.train, device=torch.device("cpu")),
        batch_size=8,
        generator=torch.Generator(),
        pasts=None if length is None else Pasts(fold.train.histories, length, None),
    )
    next(iter(batches))  # what is computed once for all batches is there
    model, batches = moved(model), replace(moved(batches), generator=OnMeta())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for batch, _ in zip(batches, range(2), strict=False):
        loss = config.loss(model.score(*batch).scores)
        loss.backward()
        optimizer.step()
        assert loss.device == META


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_samplers_draw_on_the_device(sampler: str) -> None:
    small = {"mixed": "components.shared.num_negatives=5", "shared": "num_negatives=5"}
    overrides = [f"negative_sampling.{small[sampler]}"] if sampler in small else []
    step(f"negative_sampling={sampler}", "loss=sampled_softmax", *overrides)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_computed_on_the_device(loss: str) -> None:
    step(f"loss={loss}")


@pytest.mark.parametrize("encoder", ENCODERS)
def test_histories_are_encoded_on_the_device(encoder: str) -> None:
    # Dropout makes a generator for each batch, which `meta` has none of.
    dropout = ["tower.encoder.dropout=0"] if encoder in ("gru", "sasrec") else []
    step("tower=history", f"tower/encoder={encoder}", *dropout)


def test_reading_a_value_raises() -> None:
    x = torch.ones(3, device=META)
    for read in (
        x.sum().item,
        x.cpu,
        x.tolist,
        x.nonzero,
        lambda: x[x > 0],
        (x > 0).all().__bool__,
    ):
        with pytest.raises((RuntimeError, NotImplementedError)):
            read()
