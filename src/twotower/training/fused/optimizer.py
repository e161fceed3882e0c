"""Optimizers that write only the rows of a batch, with the result of their dense form."""

from __future__ import annotations

from collections.abc import Callable

from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, SparseAdam

from twotower.training.fused.adagrad import AdagradRows
from twotower.training.fused.adam import AdamRows
from twotower.training.fused.row_updates import RowUpdates
from twotower.training.fused.sgd import SgdRows
from twotower.training.fused.sparse_adam import SparseAdamRows

__all__ = ["row_optimizer", "why_not_by_rows"]


# By which a momentum must fade in each step: its weight is then negligible after 2,000 steps.
_SLOWEST = 0.99

_BY_ROWS: dict[type[Optimizer], Callable[[Optimizer], RowUpdates]] = {
    Adam: AdamRows,
    AdamW: AdamRows,
    SGD: SgdRows,
    Adagrad: AdagradRows,
    SparseAdam: SparseAdamRows,
}


def row_optimizer(optimizer: Optimizer) -> RowUpdates:
    """Return what updates the parameters of `optimizer`; see `why_not_by_rows`."""
    return _BY_ROWS[type(optimizer)](optimizer)


def why_not_by_rows(optimizer: Optimizer) -> str | None:
    """Return why only its dense form can be used; None if it can update rows."""
    name = type(optimizer).__name__
    if type(optimizer) not in _BY_ROWS:
        known = ", ".join(each.__name__ for each in _BY_ROWS)
        return f"optimizer {name} has no form that updates the rows of a batch, as {known} have"
    group = optimizer.param_groups[0]
    if group.get("weight_decay") and not group.get("decoupled_weight_decay"):
        return f"weight_decay of {name} changes every row in each step; trainer.l2 does not"
    for option in ("amsgrad", "maximize", "dampening", "differentiable"):
        if group.get(option):
            return f"{option} of {name} is only available in its dense form"
    if group.get("eps") == 0:
        return f"eps of {name} is 0, and so would be the denominator of a row without gradients"
    if isinstance(optimizer, SparseAdam):
        return None  # no row lags
    ratio = group["betas"][0] / group["betas"][1] ** 0.5 if "betas" in group else 0.0
    if max(ratio, group.get("momentum", 0.0)) > _SLOWEST:
        return f"the momentum of {name} fades too slowly"
    return None
