"""Implicit ALS, from the library `implicit`."""

from dataclasses import dataclass

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from twotower.baselines.base import interaction_matrix
from twotower.baselines.implicit_library import import_implicit
from twotower.core.component import component
from twotower.model import DotProductScorer
from twotower.types import Scorer, TrainInteractions

__all__ = ["ALS"]


@component
@dataclass(frozen=True)
class ALS:
    """Matrix factorisation of all user-item pairs, interactions weighted by `alpha`.

    Hu, Koren and Volinsky 2008 (ICDM, "Collaborative filtering for implicit feedback datasets").

    Attributes:
        factors: Dimension of the factors.
        iterations: Alternations over users and items.
        regularization: L2 penalty of the factors.
        alpha: Weight of an interaction; pairs without one weigh 1.
        seed: Seed of the initial factors.
    """

    factors: PositiveInt
    iterations: PositiveInt
    regularization: NonNegativeFloat
    alpha: PositiveFloat
    seed: NonNegativeInt

    def fit(self, train: TrainInteractions) -> Scorer:
        """Return the fitted scorer; see Baseline.

        Raises:
            ConfigError: If `implicit` is not installed.
        """
        # The library uses threads itself and warns if BLAS does so too.
        with threadpool_limits(limits=1, user_api="blas"):
            model = import_implicit("als", "als").AlternatingLeastSquares(
                factors=self.factors,
                iterations=self.iterations,
                regularization=self.regularization,
                alpha=self.alpha,
                random_state=self.seed,
            )
            model.fit(csr_matrix(interaction_matrix(train, "float32")), show_progress=False)
        return DotProductScorer(
            torch.from_numpy(model.user_factors), torch.from_numpy(model.item_factors)
        )
