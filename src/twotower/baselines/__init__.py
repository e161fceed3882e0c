"""Models to beat, each on the same split and through the same evaluation."""

from twotower.baselines.als import ALS
from twotower.baselines.base import Baseline
from twotower.baselines.ease import Ease
from twotower.baselines.item_knn import ItemKNN
from twotower.baselines.popularity import Popularity
from twotower.baselines.random import Random

__all__ = ["ALS", "Baseline", "Ease", "ItemKNN", "Popularity", "Random"]
