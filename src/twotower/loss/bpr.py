"""Bayesian personalised ranking: a positive should score above each of its negatives."""

from torch import Tensor
from torch.nn.functional import softplus

from twotower.loss.masking import mean_of_valid, where_valid
from twotower.types import Scores

__all__ = ["BayesianPersonalisedRanking"]


class BayesianPersonalisedRanking:
    """Mean of -log sigmoid(s+ - s_n) over all pairs of a positive and a valid negative of its row.

    BPR-Opt of Rendle et al. 2009 (UAI, "BPR: Bayesian personalized ranking from implicit
    feedback") without its regularisation, which is the trainer's. 0 where no negative is valid.
    """

    def __call__(self, scores: Scores) -> Tensor:
        negative = where_valid(scores.negative, scores, 0.0)  # [B, N]
        return mean_of_valid(softplus(negative - scores.positive[:, None]), scores)
