"""Encoders: a user's history as one vector."""

from twotower.tower.encoder.attention import AttentionEncoder
from twotower.tower.encoder.base import Encoder, EncoderFactory
from twotower.tower.encoder.gru import GRUEncoder
from twotower.tower.encoder.mean import MeanEncoder
from twotower.tower.encoder.sasrec import SASRecEncoder

__all__ = [
    "AttentionEncoder",
    "Encoder",
    "EncoderFactory",
    "GRUEncoder",
    "MeanEncoder",
    "SASRecEncoder",
]
