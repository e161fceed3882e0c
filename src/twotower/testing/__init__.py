"""Checks of the contracts of components, for the tests of a plug-in.

Each raises AssertionError, with what is wrong, if a component breaks its contract. `check_choice`
composes a choice as a run does and checks it by the contract of its group; the others check an
object or what makes one. The built-in components are tested by the same functions.
"""

from twotower.testing.baselines import check_baseline
from twotower.testing.choices import check_choice, choices_in
from twotower.testing.datasets import check_dataset
from twotower.testing.encoders import check_encoder
from twotower.testing.losses import check_loss
from twotower.testing.metrics import check_metric
from twotower.testing.optimizers import check_optimizer, check_schedule
from twotower.testing.samplers import check_sampler
from twotower.testing.splits import check_split
from twotower.testing.towers import check_tower

__all__ = [
    "check_baseline",
    "check_choice",
    "check_dataset",
    "check_encoder",
    "check_loss",
    "check_metric",
    "check_optimizer",
    "check_sampler",
    "check_schedule",
    "check_split",
    "check_tower",
    "choices_in",
]
