"""Implicit ALS, by the `implicit` library."""

from dataclasses import dataclass
from types import ModuleType

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor

from twotower.baselines.base import interaction_matrix
from twotower.errors import ConfigError
from twotower.types import Scorer, TrainInteractions

__all__ = ["ALS"]


@dataclass(frozen=True)
class ALS:
    """Factors that explain all user-item pairs, interactions weighted by `alpha` (Hu, Koren and
    Volinsky 2008, ICDM, "Collaborative filtering for implicit feedback datasets")."""

    factors: PositiveInt
    iterations: PositiveInt
    regularization: NonNegativeFloat
    alpha: PositiveFloat
    seed: NonNegativeInt

    def fit(self, train: TrainInteractions) -> Scorer:
        """See Baseline. Raises ConfigError where `implicit` is not installed."""
        # The library spreads over threads itself and warns where BLAS does so too.
        with threadpool_limits(limits=1, user_api="blas"):
            model = _implicit_als().AlternatingLeastSquares(
                factors=self.factors,
                iterations=self.iterations,
                regularization=self.regularization,
                alpha=self.alpha,
                random_state=self.seed,
            )
            model.fit(csr_matrix(interaction_matrix(train, "float32")), show_progress=False)
        return _Factors(torch.from_numpy(model.user_factors), torch.from_numpy(model.item_factors))


def _implicit_als() -> ModuleType:
    try:
        import implicit.cpu.als
    except ImportError as error:
        raise ConfigError(
            "baselines.als needs the `implicit` library, which is not installed: "
            "pip install 'twotower[benchmark]', or leave `als` out of `baselines`"
        ) from error
    module: ModuleType = implicit.cpu.als
    return module


@dataclass(frozen=True)
class _Factors:
    users: Tensor  # [n_users, factors]
    items: Tensor  # [n_items, factors]

    def score_all(self, users: Tensor) -> Tensor:
        return self.users[users] @ self.items.T
