"""Losses: functions of a batch's scores, which know no sampler and no tower."""

from twotower.loss.base import (
    CompiledGradient,
    Loss,
    StatesCompiledGradient,
    StatesGradient,
    needs_negatives,
    weight_error,
)
from twotower.loss.bce import BinaryCrossEntropy
from twotower.loss.bpr import BayesianPersonalisedRanking
from twotower.loss.bsl import BilateralSoftmax
from twotower.loss.ccl import CosineContrastive
from twotower.loss.direct_au import DirectAU
from twotower.loss.gbce import GeneralisedBinaryCrossEntropy
from twotower.loss.hinge import Hinge
from twotower.loss.sampled_softmax import SampledSoftmax
from twotower.loss.squared import Squared
from twotower.loss.warp import Warp
from twotower.loss.weighted_bce import WeightedBinaryCrossEntropy

__all__ = [
    "BayesianPersonalisedRanking",
    "BilateralSoftmax",
    "BinaryCrossEntropy",
    "CompiledGradient",
    "CosineContrastive",
    "DirectAU",
    "GeneralisedBinaryCrossEntropy",
    "Hinge",
    "Loss",
    "SampledSoftmax",
    "Squared",
    "StatesCompiledGradient",
    "StatesGradient",
    "Warp",
    "WeightedBinaryCrossEntropy",
    "needs_negatives",
    "weight_error",
]
