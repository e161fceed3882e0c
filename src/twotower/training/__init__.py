"""Training: batches with their negatives, the Lightning wiring and what watches it."""

from twotower.training.callbacks import OnEpoch
from twotower.training.fitted import Fitted
from twotower.training.stopping import training_notes
from twotower.training.trainer import Objective, Trainer, is_first_process

__all__ = ["Fitted", "Objective", "OnEpoch", "Trainer", "is_first_process", "training_notes"]
