"""Detect models that collapsed to one list for all users, or to embeddings along one line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from twotower.evaluation.evaluation import Evaluation
from twotower.types import Fold, OneRanking, Recommendations

__all__ = ["Alikeness", "alikeness", "collapse_notes", "effective_rank"]

# Alikeness from which lists count as the same: popularity reaches 0.95 and more, models that rank
# per user less than 0.65 (MovieLens 100K, synthetic data).
ALIKE = 0.8
# What fewer lists than this have in common may be chance.
MIN_LISTS = 10
# An effective rank below this means that one direction decides nearly all scores, as popularity
# alone would. Trained tables reach most of their dimensions; so do random ones.
LOW_RANK = 2.0
# It must also be below this share of the highest possible rank: of three dimensions two are many.
LOW_RANK_SHARE = 0.5


@dataclass(frozen=True)
class Alikeness:
    """How far one ranking for everybody explains the lists of all.

    Attributes:
        shared: Mean share of a user's list that the common ranking recommends to that user too.
        by_chance: The same for a list drawn at random.
        n_lists: Number of lists that are not empty.
    """

    shared: float
    by_chance: float
    n_lists: int

    @property
    def value(self) -> float:
        """`shared` beyond chance, as a share of its range: 1 for one ranking, about 0 for random.

        0 if every list holds all candidates, and chance alone makes them equal.
        """
        room = 1 - self.by_chance
        return (self.shared - self.by_chance) / room if room > 0 else 0.0


def alikeness(recommendations: Recommendations, fold: Fold, evaluation: Evaluation) -> Alikeness:
    """Return how alike the lists are that `evaluation` made for the holdout of `fold`.

    The common ranking sorts items by the share of users who got the item among those who could. It
    does not sort by count: where seen items are dropped, one ranking gives many lists, each without
    the items that its user has seen.
    """
    seen = _dropped(fold, evaluation)  # [U, n_items] sparse: rows and items
    n_items, n_users = fold.items.n, len(recommendations.users)
    listed = recommendations.items >= 0
    served = listed.any(1)
    could = int(served.sum()) - torch.bincount(seen[1][served[seen[0]]], minlength=n_items)
    counts = torch.bincount(recommendations.items[listed], minlength=n_items)
    common = evaluation.recommend(OneRanking(counts / could.clamp(min=1)), fold)

    lengths = listed.sum(1)
    rows = torch.arange(n_users)[:, None] * n_items  # so that pairs have a number each
    in_common = common.items >= 0
    shared = torch.isin(rows + recommendations.items, (rows + common.items)[in_common]) & listed
    candidates = n_items - torch.bincount(seen[0], minlength=n_users)
    has_list = lengths > 0
    if not has_list.any():
        return Alikeness(0.0, 0.0, 0)
    return Alikeness(
        shared=float((shared.sum(1) / lengths)[has_list].double().mean()),
        by_chance=float((lengths / candidates)[has_list].double().mean()),
        n_lists=int(has_list.sum()),
    )


def effective_rank(table: Tensor) -> float:
    """Return the effective rank of embeddings [N, D].

    The exponential of the entropy of the singular values' shares (Roy and Vetterli 2007, EUSIPCO,
    "The effective rank: a measure of effective dimensionality"): between 1, all on one line, and
    min(N, D), all directions alike. 0 if all are zero, NaN if not all are finite. It is computed
    through the Gram matrix [D, D], in float64.
    """
    if not table.isfinite().all():
        return math.nan
    wide = table.detach().cpu().double()
    singular = torch.linalg.eigvalsh(wide.T @ wide).clamp(min=0).sqrt()
    shares = singular[singular > 0] / singular.sum()
    return float(torch.special.entr(shares).sum().exp()) if len(shares) else 0.0


def collapse_notes(
    recommendations: Recommendations,
    fold: Fold,
    evaluation: Evaluation,
    tables: Mapping[str, Tensor],
) -> list[str]:
    """Return a sentence for each sign of a collapse; none for a healthy model.

    Args:
        recommendations: The lists that `evaluation` made.
        fold: The fold that they are for.
        evaluation: Which items are candidates.
        tables: Embeddings [N, D] by what they represent, such as `item`.
    """
    notes = []
    lists = alikeness(recommendations, fold, evaluation)
    if lists.n_lists >= MIN_LISTS and lists.value >= ALIKE:
        notes.append(
            f"every user gets nearly the same list: one ranking for all explains {lists.shared:.0%}"
            f" of what is recommended (by chance it would be {lists.by_chance:.0%}); train longer "
            "(trainer.max_epochs, trainer.patience_steps), lower trainer.l2, or draw popular items "
            "as negatives more often (negative_sampling=popularity)"
        )
    for name, table in tables.items():
        rank, most = effective_rank(table), min(table.shape)
        if rank < min(LOW_RANK, LOW_RANK_SHARE * most):
            notes.append(
                f"the {name} embeddings have an effective rank of {rank:.1f} of {most}: "
                "one direction decides nearly all scores; train longer (trainer.max_epochs, "
                "trainer.patience_steps), lower trainer.l2, or change tower.init_std"
            )
    return notes


def _dropped(fold: Fold, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
    """Return [n] rows of the holdout and [n] items that these users could not get."""
    if not evaluation.drop_seen:
        none = torch.empty(0, dtype=torch.int64)
        return none, none
    seen = fold.holdout.seen
    within = seen.items < fold.train.n_items
    return seen.rows[within], seen.items[within]
