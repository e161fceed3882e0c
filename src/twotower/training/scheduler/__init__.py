"""The learning rate over the epochs."""

from twotower.training.scheduler.base import Schedule

__all__ = ["Schedule"]
