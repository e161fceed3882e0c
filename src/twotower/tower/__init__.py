"""Towers: what turns users, or items, into embeddings."""

from twotower.tower.base import HistoryEncoder, Tower, TowerFactory
from twotower.tower.embedding import EmbeddingTower
from twotower.tower.features import FeatureTower
from twotower.tower.history import HistoryTower

__all__ = [
    "EmbeddingTower",
    "FeatureTower",
    "HistoryEncoder",
    "HistoryTower",
    "Tower",
    "TowerFactory",
]
