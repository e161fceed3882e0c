"""Negative samplers: which items a positive is contrasted with."""

from twotower.negative_sampling.base import NegativeSampler
from twotower.negative_sampling.uniform import UniformSampler

__all__ = ["NegativeSampler", "UniformSampler"]
