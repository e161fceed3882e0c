"""BPR matrix factorisation, from the library `implicit`."""

from dataclasses import dataclass

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from scipy.sparse import csr_matrix

from twotower.baselines.base import interaction_matrix
from twotower.baselines.implicit_library import import_implicit
from twotower.core.component import component
from twotower.model import DotProductScorer
from twotower.types import Scorer, TrainInteractions

__all__ = ["BPR"]


@component
@dataclass(frozen=True)
class BPR:
    """Factors and item biases that rank a user's items above sampled others.

    Rendle et al. 2009 (UAI, "BPR: Bayesian personalized ranking from implicit feedback"). It runs
    in one thread: with several, which update the same factors, fits are not reproducible.

    Attributes:
        factors: Dimension of the factors.
        iterations: Passes over the interactions.
        learning_rate: Step size of SGD.
        regularization: L2 penalty of the factors.
        seed: Seed of initial factors and sampling.
    """

    factors: PositiveInt
    iterations: PositiveInt
    learning_rate: PositiveFloat
    regularization: NonNegativeFloat
    seed: NonNegativeInt

    def fit(self, train: TrainInteractions) -> Scorer:
        """Return the fitted scorer; see Baseline.

        Raises:
            ConfigError: If `implicit` is not installed.
        """
        model = import_implicit("bpr", "bpr").BayesianPersonalizedRanking(
            factors=self.factors,
            iterations=self.iterations,
            learning_rate=self.learning_rate,
            regularization=self.regularization,
            verify_negative_samples=True,  # as in the paper: no negative is an item of the user
            num_threads=1,
            random_state=self.seed,
        )
        model.fit(csr_matrix(interaction_matrix(train, "float32")), show_progress=False)
        # The last column is 1 for users and the bias for items.
        return DotProductScorer(
            torch.from_numpy(model.user_factors), torch.from_numpy(model.item_factors)
        )
