"""Training steps of embedding towers on the CPU: no autograd, and only the rows of a batch."""

from twotower.training.fused.eligible import (
    why_callbacks_not_fused,
    why_not_fused,
    why_objective_not_fused,
)
from twotower.training.fused.step import FusedStep

__all__ = ["FusedStep", "why_callbacks_not_fused", "why_not_fused", "why_objective_not_fused"]
