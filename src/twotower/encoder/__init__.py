"""Encoders: what makes one vector of the items that a user had met."""

from twotower.encoder.attention import AttentionEncoder
from twotower.encoder.base import Encoder
from twotower.encoder.gru import GRUEncoder
from twotower.encoder.mean import MeanEncoder
from twotower.encoder.sasrec import SASRecEncoder

__all__ = ["AttentionEncoder", "Encoder", "GRUEncoder", "MeanEncoder", "SASRecEncoder"]
