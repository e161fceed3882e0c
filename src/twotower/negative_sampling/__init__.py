"""Negative samplers: which items a positive is contrasted with."""

from twotower.negative_sampling.all import AllItems
from twotower.negative_sampling.base import NegativeSampler, SamplerFactory, needs_other_rows
from twotower.negative_sampling.cross_batch import CrossBatchSampler
from twotower.negative_sampling.hard import HardSampler
from twotower.negative_sampling.in_batch import InBatchSampler
from twotower.negative_sampling.mixed import MixedSampler
from twotower.negative_sampling.popularity import PopularitySampler
from twotower.negative_sampling.shared import SharedSampler
from twotower.negative_sampling.uniform import UniformSampler

__all__ = [
    "AllItems",
    "CrossBatchSampler",
    "HardSampler",
    "InBatchSampler",
    "MixedSampler",
    "NegativeSampler",
    "PopularitySampler",
    "SamplerFactory",
    "SharedSampler",
    "UniformSampler",
    "needs_other_rows",
]
