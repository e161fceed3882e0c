"""Where the fused kernel can be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from pytorch_lightning.callbacks import Callback, StochasticWeightAveraging, Timer
from torch import nn

from twotower.core.component import arguments_of
from twotower.loss import StatesGradient
from twotower.model import TwoTower
from twotower.tower import EmbeddingTower
from twotower.training.fused.optimizer import why_not_by_rows
from twotower.training.objective import Objective

__all__ = ["why_callbacks_not_fused", "why_not_fused", "why_objective_not_fused"]

# Arguments of Lightning's Trainer that work on gradients, which the fused kernel does not keep, and
# their values that change nothing.
_ON_GRADIENTS = {"accumulate_grad_batches": 1, "gradient_clip_val": None, "detect_anomaly": False}
# Hooks of a callback that sees single steps and all weights after each, which the kernel has not.
_OF_STEPS = (
    *("on_train_batch_start", "on_train_batch_end", "on_before_zero_grad", "on_before_backward"),
    *("on_after_backward", "on_before_optimizer_step"),
)


def why_callbacks_not_fused(callbacks: Mapping[str, Callback]) -> str | None:
    """Return why the fused kernel cannot be used with these callbacks; None if it can."""
    for name, callback in callbacks.items():
        hooks = [
            hook
            for hook in _OF_STEPS
            if getattr(type(callback), hook) is not getattr(Callback, hook)
        ]
        if hooks and not isinstance(callback, Timer):  # which reads no more than the clock
            return f"trainer.callbacks.{name} acts on single steps ({hooks[0]})"
        if isinstance(callback, StochasticWeightAveraging):
            return f"trainer.callbacks.{name} sets the learning rate of single steps"
    return None


def why_objective_not_fused(
    objective: Objective, precision: str, arguments: Mapping[str, Any]
) -> str | None:
    """Return why no model could be trained by the fused kernel; None if some can be.

    Args:
        objective: What is minimised.
        precision: One of Lightning's names.
        arguments: Further arguments of Lightning's Trainer.
    """
    if not isinstance(objective.loss, StatesGradient):
        return f"loss {type(objective.loss).__name__} does not state its gradient (gradient_)"
    if _selects(objective.sampler):
        return "the hardest negatives are selected by autograd's path alone"
    if precision != "32-true":
        return f"trainer.precision is {precision}, not 32-true"
    for name, neutral in _ON_GRADIENTS.items():
        if arguments.get(name, neutral) != neutral:
            return f"trainer.lightning.{name} is set"
    optimizer = objective.optimizer([nn.Parameter(torch.zeros(1))])
    return why_not_by_rows(optimizer)


def _selects(sampler: Callable[..., Any]) -> bool:
    return "candidates" in arguments_of(sampler)


def why_not_fused(model: TwoTower, device: torch.device, processes: int) -> str | None:
    """Return why this model cannot be trained by the fused kernel; None if it can be.

    Args:
        model: What is trained.
        device: Where.
        processes: How many processes train it.
    """
    for side, tower in (("user", model.user_tower), ("item", model.item_tower)):
        if type(tower) is not EmbeddingTower:
            return f"the {side} tower is {type(tower).__name__}, not EmbeddingTower"
    if model.prior is not None and model.prior.weight.requires_grad:
        return "the weight of the prior is learned (tower.prior.learned)"
    if device.type != "cpu":
        return f"the device is {device.type}, not cpu"
    if processes > 1:
        return f"{processes} processes share their gradients"
    return None
