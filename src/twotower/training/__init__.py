"""Training: batches with their negatives, the Lightning wiring and its callbacks."""

from twotower.training.batches import batches_at_once
from twotower.training.cost import Cost
from twotower.training.epoch_metrics import OnEpoch
from twotower.training.fitted import Fitted
from twotower.training.folders import CHECKPOINTS, PROFILES
from twotower.training.lightning_trainer import is_first_process
from twotower.training.objective import Objective
from twotower.training.stopping import training_notes
from twotower.training.trainer import Trainer

__all__ = [
    "CHECKPOINTS",
    "PROFILES",
    "Cost",
    "Fitted",
    "Objective",
    "OnEpoch",
    "Trainer",
    "batches_at_once",
    "is_first_process",
    "training_notes",
]
