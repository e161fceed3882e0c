"""All checks of a planned run, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twotower.core.errors import DataError, DownloadError
from twotower.diagnosis import log_checks, resources, split_checks
from twotower.diagnosis.examined import Examined, read, split_of
from twotower.diagnosis.findings import Diagnosis, Finding, failed
from twotower.running.experiment import Experiment
from twotower.types import ITEM, USER, Interactions

__all__ = ["diagnose"]

_CHECKS: tuple[Callable[[Examined], Iterator[Finding]], ...] = (
    log_checks.sizes,
    log_checks.repeats,
    log_checks.filtered,
    log_checks.times,
    log_checks.ties,
    log_checks.popularity,
    log_checks.feature_ids,
    split_checks.overlap,
    split_checks.time_order,
    split_checks.cold,
    split_checks.judged_users,
    split_checks.seen_everything,
    split_checks.histories,
    resources.resources,
)


def diagnose(experiment: Experiment) -> Diagnosis:
    """Read the data of a run, and report what is wrong with it; nothing is trained or written.

    Raises:
        DownloadError: The data cannot be found or downloaded.
    """
    name = _name(experiment)
    try:
        interactions, buckets = read(experiment.dataset)
    except DownloadError:
        raise
    except DataError as error:
        return Diagnosis(name, "", {}, (failed("read", error),))
    steps: list[str] = []
    try:
        kept = experiment.preprocessing.before_split(interactions.log, steps)
        parts = split_of(experiment, interactions, kept)
    except DataError as error:
        facts = _facts(interactions)
        return Diagnosis(name, interactions.origin, facts, (failed("split", error),))
    data = Examined(experiment, interactions, buckets, kept, parts)
    findings = [finding for check in _CHECKS for finding in check(data)]
    facts = {**_facts(interactions), "kept": len(kept), "train": len(parts.history)}
    return Diagnosis(name, interactions.origin, facts, tuple(findings))


def _facts(interactions: Interactions) -> dict[str, float]:
    log = interactions.log
    return {
        "interactions": len(log),
        "users": log[USER].n_unique(),
        "items": log[ITEM].n_unique(),
    }


def _name(experiment: Experiment) -> str:
    """Return the choices of dataset and split."""
    dataset, split = (
        type(part).__module__.rpartition(".")[2] for part in (experiment.dataset, experiment.split)
    )
    return f"{dataset}, split {split}"
