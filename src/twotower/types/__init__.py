"""The frozen dataclasses that packages exchange.

Frames (Polars) come first: `Interactions` out of a dataset, `SplitFrames` out of a split. Then
tensors: a `Fold` holds what one training run may see (`TrainInteractions`) and what it is evaluated
on (`Holdout`). Ids are the source's own in frames and row numbers of a `Vocabulary` in tensors.
"""

from twotower.types.batch import Hardest, MaskedScores, Negatives, Scores
from twotower.types.fold import Fold, Holdout, Side, TrainInteractions, Vocabulary
from twotower.types.frames import (
    FILE_ORDER,
    ITEM,
    RATING,
    TIMESTAMP,
    USER,
    WEIGHT,
    Interactions,
    SplitFrames,
    rows_with,
)
from twotower.types.lists import Histories, ItemLists, Past
from twotower.types.order import in_time, tie_keys, time_order, turns
from twotower.types.positives import PositiveDistribution
from twotower.types.ranking import EVERYBODY, BlockScorer, OneRanking, Recommendations, Scorer
from twotower.types.recency import ages_in_days, half_life_weights
from twotower.types.streamed import BlockOrder, LogStream, StreamedFrames, StreamedTrain

__all__ = [
    "EVERYBODY",
    "FILE_ORDER",
    "ITEM",
    "RATING",
    "TIMESTAMP",
    "USER",
    "WEIGHT",
    "BlockOrder",
    "BlockScorer",
    "Fold",
    "Hardest",
    "Histories",
    "Holdout",
    "Interactions",
    "ItemLists",
    "LogStream",
    "MaskedScores",
    "Negatives",
    "OneRanking",
    "Past",
    "PositiveDistribution",
    "Recommendations",
    "Scorer",
    "Scores",
    "Side",
    "SplitFrames",
    "StreamedFrames",
    "StreamedTrain",
    "TrainInteractions",
    "Vocabulary",
    "ages_in_days",
    "half_life_weights",
    "in_time",
    "rows_with",
    "tie_keys",
    "time_order",
    "turns",
]
