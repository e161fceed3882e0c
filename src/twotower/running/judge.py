"""Evaluates a trained model on a holdout, next to the baselines."""

from __future__ import annotations

from dataclasses import dataclass

from twotower.evaluation import Evaluation, recommendations_frame, relevant_frame
from twotower.evaluation.collapse import collapse_notes
from twotower.evaluation.few_users import few_users_note
from twotower.model import TwoTower
from twotower.running.reference import References, fold_key
from twotower.running.result import Judged
from twotower.types import Fold, SplitFrames

__all__ = ["Judge"]


@dataclass(frozen=True)
class Judge:
    """Evaluates models next to the baselines of `references`, with the same evaluation."""

    references: References

    @property
    def evaluation(self) -> Evaluation:
        """The evaluation of the config."""
        return self.references.evaluation

    def __call__(
        self,
        part: str,
        model: TwoTower,
        fold: Fold,
        frames: SplitFrames,
        *,
        on_train: bool = False,
    ) -> Judged:
        """Evaluate the model and the baselines on a holdout.

        Args:
            part: The holdout of `fold`, `validation` or `test`.
            model: The trained model.
            fold: What the model was trained on, with the holdout.
            frames: The split that `fold` was made from.
            on_train: Whether the model was trained on train alone although it is tested: another
                fold than with all history, on which the baselines differ too.
        """
        scorer = model.scorer(fold.train_histories)
        title = part if self.references.shows_progress else None
        recommendations = self.evaluation.recommend(scorer, fold, title)
        measured = self.evaluation.measure(recommendations, fold)
        key = fold_key(frames.identity, part, fold, on_train=on_train)
        return Judged(
            part=part,
            fold=fold,
            scorer=scorer,
            measured=measured,
            groups=self.evaluation.measure_groups(recommendations, fold, measured),
            baselines=self.references.measure(fold, key),
            recommendations=recommendations,
            recommendation_lists=recommendations_frame(
                recommendations, fold.vocabulary, frames.items
            ),
            relevant=relevant_frame(recommendations, fold),
            conditions=self.evaluation.conditions(fold),
        )

    def suspicions(self, judged: Judged, n_users: int, judging_more: str) -> list[str]:
        """Return sentences on collapsed embeddings and on holdouts with too few users.

        Args:
            judged: The metrics of the model.
            n_users: The number of users in the log that was split.
            judging_more: Advice on how to evaluate more users, naming the keys.
        """
        tables = {"user": judged.scorer.users, "item": judged.scorer.items}
        few = few_users_note(
            judged.measured,
            self.evaluation.monitor_name,
            part=judged.part,
            n_users=n_users,
            advice=judging_more,
        )
        collapsed = collapse_notes(judged.recommendations, judged.fold, self.evaluation, tables)
        return [*([few] if few else []), *collapsed]
