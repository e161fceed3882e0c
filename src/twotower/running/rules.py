"""Rules about several settings of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from twotower.core.errors import ErrorEntry
from twotower.core.libraries import is_installed
from twotower.dataset import Dataset
from twotower.evaluation import Evaluation
from twotower.loss import Loss, needs_negatives, weight_error
from twotower.negative_sampling import NegativeSampler
from twotower.preprocessing.preprocessing import Preprocessing
from twotower.preprocessing.streamed import unsupported
from twotower.split.base import Split
from twotower.tower.prior import TwoTowerFactory, split_prior
from twotower.training import Objective, Trainer

__all__ = [
    "a_learned_prior_is_scored",
    "a_part_is_measured",
    "extras_are_installed",
    "needs_whole_log",
    "objective_fits",
    "streaming_fits",
    "validation_is_cut",
    "weights_are_applied",
]


def objective_fits(
    trainer: Trainer,
    negative_sampling: Callable[..., NegativeSampler],
    loss: Loss,
    optimizer: Callable[[Iterable[Tensor]], Optimizer],
) -> Iterator[ErrorEntry]:
    """Yield an error if the optimizer refuses its values, or the trainer what it minimises."""
    try:
        optimizer([nn.Parameter(torch.zeros(1))])
    except (ValueError, TypeError) as error:
        yield ErrorEntry("optimizer", problem=str(error))
    else:
        yield from trainer.conflicts(Objective(negative_sampling, loss, optimizer))


def validation_is_cut(split: Split, trainer: Trainer) -> Iterator[ErrorEntry]:
    """Yield an error for each setting of the trainer that needs a validation part if none is cut.

    Example:
        >>> from types import SimpleNamespace
        >>> split = SimpleNamespace(validation=False)
        >>> trainer = SimpleNamespace(
        ...     patience=None, refit=True, keep_checkpoint="last", scheduler=None
        ... )
        >>> [str(error.path) for error in validation_is_cut(split, trainer)]
        ['trainer.refit']
    """
    if split.validation:
        return
    wrong = "which needs a validation part, but split.validation=false cuts none"
    for key, value, off in (
        ("patience", trainer.patience, "null"),
        ("refit", trainer.refit, "false"),
    ):
        if value:
            yield ErrorEntry(f"trainer.{key}", value, wrong, f"must be {off}")
    if trainer.keep_checkpoint in ("best", "both"):
        yield ErrorEntry(
            "trainer.keep_checkpoint", trainer.keep_checkpoint, wrong, "must be one of none, last"
        )
    if getattr(trainer.scheduler, "func", trainer.scheduler) is ReduceLROnPlateau:
        yield ErrorEntry(
            "trainer.scheduler",
            problem=f"got ReduceLROnPlateau, {wrong}",
            valid="must be another one, such as step",
        )


def a_part_is_measured(split: Split, evaluation: Evaluation) -> Iterator[ErrorEntry]:
    """Yield an error if there is neither a validation part nor a test."""
    if not split.validation and evaluation.test == "never":
        yield ErrorEntry(
            "evaluation.test",
            evaluation.test,
            "but split.validation=false cuts no validation part either, so nothing would be "
            "measured",
            "must be one of best, all",
        )


def weights_are_applied(dataset: Dataset, loss: Loss) -> Iterator[ErrorEntry]:
    """Yield an error if interactions have weights that the loss does not apply."""
    columns = getattr(dataset, "columns", None)
    weighted = isinstance(columns, Mapping) and columns.get("weight") is not None
    if weighted and (error := weight_error(loss)):
        yield error


def a_learned_prior_is_scored(tower: TwoTowerFactory, loss: Loss) -> Iterator[ErrorEntry]:
    """Yield an error if the weight of a prior is learned by a loss that sees no scores."""
    if getattr(split_prior(tower)[1], "learned", False) and not needs_negatives(loss):
        yield ErrorEntry(
            "tower.prior.learned",
            True,
            f"but {type(loss).__name__} is a loss of embeddings, which do not include the prior",
            "must be false, or loss one of scores, such as bce",
        )


def extras_are_installed(embedding_plot: str, preprocessing: Preprocessing) -> Iterator[ErrorEntry]:
    """Yield an error for each choice whose library, an extra of twotower, is not installed."""
    for key, value, extra, module in (
        ("embedding_plot", embedding_plot, "umap", "umap"),
        ("preprocessing.engine", preprocessing.engine, "spark", "pyspark"),
    ):
        if value == extra and not is_installed(module):
            wrong = f"but {module} is not installed"
            yield ErrorEntry(key, value, wrong, f"pip install 'twotower[{extra}]'")


def streaming_fits(
    dataset: Dataset, preprocessing: Preprocessing, split: Split, trainer: Trainer
) -> Iterator[ErrorEntry]:
    """Yield an error for each setting that needs the whole log at once, if it is streamed."""
    if getattr(dataset, "streaming", False) is not True:
        if preprocessing.engine != "polars":
            wrong = "which prepares logs that are streamed"
            valid = "must be polars, or dataset=file with dataset.streaming=true"
            yield ErrorEntry("preprocessing.engine", preprocessing.engine, wrong, valid)
        return
    yield from needs_whole_log(preprocessing, split, trainer)


def needs_whole_log(
    preprocessing: Preprocessing, split: Split, trainer: Trainer
) -> Iterator[ErrorEntry]:
    """Yield an error for each setting by which a log cannot be streamed."""
    if not split.by_user:
        choice = type(split).__module__.rpartition(".")[2]
        wrong = "which needs the whole log at once, but dataset.streaming=true"
        yield ErrorEntry("split", choice, wrong, "must be one of last_n, ratio, time")
    yield from unsupported(preprocessing)
    if trainer.half_life is not None:
        wrong = "but dataset.streaming=true draws each interaction once per epoch"
        yield ErrorEntry("trainer.half_life", trainer.half_life, wrong, "must be null")
