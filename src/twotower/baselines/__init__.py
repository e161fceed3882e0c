"""Models to beat, each on the same split and through the same evaluation."""

from twotower.baselines.als import ALS
from twotower.baselines.base import Baseline, HistoryScorer
from twotower.baselines.bpr import BPR
from twotower.baselines.ease import Ease
from twotower.baselines.item_knn import ItemKNN
from twotower.baselines.popularity import Popularity
from twotower.baselines.random import Random
from twotower.baselines.recent_popularity import RecentPopularity

__all__ = [
    "ALS",
    "BPR",
    "Baseline",
    "Ease",
    "HistoryScorer",
    "ItemKNN",
    "Popularity",
    "Random",
    "RecentPopularity",
]
