"""Towers: what turns users, or items, into embeddings."""

from twotower.tower.base import Tower
from twotower.tower.embedding import EmbeddingTower

__all__ = ["EmbeddingTower", "Tower"]
