"""Priors: a score per item, known before training, that the towers add to."""

from twotower.tower.prior.base import ItemPrior, Prior, TwoTowerFactory, split_prior
from twotower.tower.prior.none import NoPrior
from twotower.tower.prior.popularity import PopularityPrior
from twotower.tower.prior.recent_popularity import RecentPopularityPrior

__all__ = [
    "ItemPrior",
    "NoPrior",
    "PopularityPrior",
    "Prior",
    "RecentPopularityPrior",
    "TwoTowerFactory",
    "split_prior",
]
