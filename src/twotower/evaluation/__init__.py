"""Exact top-K retrieval, then metrics with RePlay's definitions."""

from twotower.evaluation.evaluation import Evaluation, Measured
from twotower.evaluation.frames import recommendations_frame, relevant_frame
from twotower.evaluation.ranking import top_k

__all__ = ["Evaluation", "Measured", "recommendations_frame", "relevant_frame", "top_k"]
