"""The contract of a loss."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from twotower.core.compiled import Linked
from twotower.core.errors import ErrorEntry
from twotower.types import MaskedScores, Scores

__all__ = ["GRADIENT", "CompiledGradient", "Loss", "StatesCompiledGradient", "StatesGradient"]
__all__ += ["gradient_by", "needs_negatives", "weight_error"]

# Of a CompiledGradient's function: (positive, negative, counts, log_counts, weights, constants).
GRADIENT = (
    "float64(float32[::1], float32[:,::1], int64[::1], float32[:,::1], float32[::1], float64[::1])"
)


class Loss(Protocol):
    """Maps the scores of a batch to one number to minimise.

    To add a loss, write a class with a `__call__` as below and name it in a YAML file of
    `conf/loss`; the constructor takes the YAML keys. A loss sees scores alone: it does not know
    which sampler drew the negatives, nor which towers made the scores.

    A class whose loss uses no negatives sets `needs_negatives = False`; otherwise training warns
    about positives without negatives and stops if no positive has one. A class that multiplies each
    row by its weight (`twotower.loss.masking.weighted`) sets `uses_weights = True`; the others
    refuse data with weights (`dataset.columns.weight`). A class that states its own gradient
    (`StatesGradient`) is trained several times faster where `trainer.kernel` can be fused.

    Example:
        >>> class NegativeMargin:
        ...     def __call__(self, scores: Scores) -> Tensor:
        ...         return scores.negative.mean() - scores.positive.mean()
        >>> loss: Loss = NegativeMargin()
    """

    @abstractmethod
    def __call__(self, scores: Scores) -> Tensor:
        """Return the loss of one batch.

        Args:
            scores: `positive` [B], `negative` [B, N], `valid` [B, N] bool or None (all valid), and
                `log_expected_count` [B, N] or [N]. See `twotower.types.Scores`.

        Returns:
            A scalar that can be differentiated. Negatives that are not valid must have no influence
            on it or on its gradient, whatever their scores (`twotower.loss.masking`). It must be
            finite where a row has no valid negative.
        """
        ...


@runtime_checkable
class StatesGradient(Protocol):
    """A loss that states its gradient with respect to scores, so that it needs no autograd."""

    def gradient_(self, scores: MaskedScores) -> Tensor:
        """Return the loss of one batch, and overwrite its scores with their gradients.

        Args:
            scores: Those of `Loss.__call__`, with -inf where a negative is not valid; there the
                gradient must be 0.

        Returns:
            The scalar that `__call__` returns for the same scores.
        """
        ...


@dataclass(frozen=True)
class CompiledGradient:
    """The gradient of a loss as compiled code, which a compiled training step calls.

    Attributes:
        function: Does what `StatesGradient.gradient_` does, with the arrays of `MaskedScores`; see
            GRADIENT. `weights` has no entry where all are 1.
        constants: Of the loss, its last argument.
        reads_counts: Whether `log_expected_count` is given, as [B, N]; else [0, 0].
    """

    function: Linked[Any, float]
    constants: tuple[float, ...]
    reads_counts: bool = False


@runtime_checkable
class StatesCompiledGradient(Protocol):
    """A loss with compiled code for its gradient: the fastest where rows have own negatives."""

    def compiled_gradient(self) -> CompiledGradient:
        """Return the function and its constants."""
        ...


def gradient_by(loss: StatesCompiledGradient, scores: MaskedScores) -> Tensor:
    """Return what `StatesGradient.gradient_` does, by a loss's compiled gradient."""
    compiled = loss.compiled_gradient()
    shape = scores.negative.shape
    counts = torch.empty(0, 0)
    if compiled.reads_counts:
        counts = scores.log_expected_count.expand(shape).contiguous()
    weights = torch.empty(0) if scores.weights is None else scores.weights.float()
    arrays = (scores.positive, scores.negative, scores.counts, counts, weights)
    constants = np.array(compiled.constants)
    return torch.tensor(compiled.function(*(each.numpy() for each in arrays), constants))


def needs_negatives(loss: object) -> bool:
    """Return whether `loss` contrasts positives with negatives; True unless its class opts out."""
    return bool(getattr(loss, "needs_negatives", True))


def weight_error(loss: object) -> ErrorEntry | None:
    """Return an error if `loss`, or a class of losses, does not apply the weights of rows."""
    if getattr(loss, "uses_weights", False):
        return None
    name = getattr(loss, "__name__", type(loss).__name__)
    return ErrorEntry(
        "loss",
        problem=f"{name} cannot weight interactions, and dataset.columns.weight is set",
        valid="must be a loss of single rows, such as bce, bpr or sampled_softmax, or "
        "dataset.columns.weight must be null",
    )
