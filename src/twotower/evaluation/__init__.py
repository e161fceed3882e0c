"""Exact top-K retrieval, then metrics as RePlay and RecTools define them."""

from twotower.evaluation.evaluation import Evaluation, Measured
from twotower.evaluation.frames import recommendations_frame, relevant_frame
from twotower.evaluation.lists import JudgedLists
from twotower.evaluation.metric import CatalogueMetric, UserMetric
from twotower.evaluation.ranking import top_k

__all__ = [
    "CatalogueMetric",
    "Evaluation",
    "JudgedLists",
    "Measured",
    "UserMetric",
    "recommendations_frame",
    "relevant_frame",
    "top_k",
]
