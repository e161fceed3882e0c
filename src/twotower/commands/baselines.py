"""`twotower baselines`: models to beat, measured on the parts of a split."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from twotower.baselines import Baseline
from twotower.config import Configured
from twotower.config.identity import digest_of
from twotower.core.component import component, rule
from twotower.core.console import terminal
from twotower.core.errors import ErrorEntry, TwoTowerError
from twotower.core.writable import require_writable_folder
from twotower.dataset import Dataset
from twotower.evaluation import Evaluation
from twotower.preprocessing.preprocessing import Preprocessing
from twotower.reporting.metric_table import metric_table
from twotower.reporting.tables import print_whole
from twotower.running.artifacts import METRICS, PER_USER, RELEVANT, metrics_text
from twotower.running.reference import Reference, References, fold_key
from twotower.running.rules import a_part_is_measured
from twotower.split.base import Part, Split
from twotower.split.fold import fold_of
from twotower.split.prepare import prepare
from twotower.tracking.base import Tracking
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.signals import terminate_on_sigterm
from twotower.tracking.store import open_store
from twotower.tracking.tags import BASELINE_TAG, EVALUATION_TAG, MONITOR_TAG
from twotower.types import Fold, SplitFrames
from twotower.types.metric_name import MetricName, shown_metrics

__all__ = ["Baselines"]

logger = logging.getLogger(__name__)

DIGEST_TAG = "baseline.digest"  # of values, split, parts and evaluation
_FIT = "fit s"
_PARTS = {"validation": "val", "test": "test"}  # as metrics are named


@component(rules=(a_part_is_measured,))
@dataclass(frozen=True)
class Baselines(Configured):
    """Settings of the command; each is explained in conf/baselines.yaml."""

    output_dir: str
    dataset: Dataset
    preprocessing: Preprocessing
    split: Split
    evaluation: Evaluation
    baselines: dict[str, Baseline]
    tracking: Tracking

    @staticmethod
    @rule
    def a_baseline_is_named(baselines: dict[str, Baseline]) -> Iterator[ErrorEntry]:
        """Yield an error for an empty list."""
        if not baselines:
            valid = "must be a list of choices, such as [popularity,ease]"
            yield ErrorEntry("baselines", problem="got none", valid=valid)

    def __call__(self) -> dict[str, dict[str, Reference]]:
        """Measure, log and print the baselines; return by baseline and part its reference.

        Raises:
            TwoTowerError: some baselines could not be measured; raised after the others were.
        """
        if isinstance(self.tracking, MlflowTracking):
            open_store(self.tracking.uri)  # or baselines would be fitted for nothing
        require_writable_folder("output_dir", self.output_dir)
        with _progress_on_stderr(), terminate_on_sigterm():
            interactions = self.dataset.load()
            logger.info("data: %s", interactions.origin)
            frames = prepare(interactions, self.preprocessing, self.split, None, {})
            tags = {"split.digest": frames.digest, "data.digest": interactions.digest}
            measured, failures = self._measure(self._folds(frames), frames.identity, tags)
        if measured:
            _print(measured, self.evaluation.monitor_name)
        if failures:
            count = f"{len(failures)} of {len(self.baselines)} baselines could not be measured"
            raise TwoTowerError("\n  ".join([count, *failures]))
        return measured

    def _folds(self, frames: SplitFrames) -> dict[str, Fold]:
        """Return the folds by part, as in a run: validation follows train, test follows both."""
        parts: list[Part] = ["validation"] if frames.validation is not None else []
        if self.evaluation.test != "never":
            parts.append("test")
        folds: dict[str, Fold] = {part: fold_of(frames, part, self.split) for part in parts}
        if "validation" in folds:
            folds["validation"] = self.evaluation.validated(folds["validation"])
        return folds

    def _measure(
        self, folds: Mapping[str, Fold], data: str, tags: Mapping[str, str]
    ) -> tuple[dict[str, dict[str, Reference]], list[str]]:
        """Measure and log each baseline; return the references and the errors."""
        cache = Path(self.output_dir) / "cache" / "baselines"
        references = References(self.baselines, self.evaluation, self.config, cache)
        keys = {part: fold_key(data, part, fold) for part, fold in folds.items()}
        measured: dict[str, dict[str, Reference]] = {}
        failures: list[str] = []
        for name in self.baselines:
            try:
                parts = {
                    part: references.measure_one(name, fold, keys[part])
                    for part, fold in folds.items()
                }
            except (TwoTowerError, MemoryError, RuntimeError) as error:
                logger.info("baseline %s: could not be measured", name)
                failures.append(f"{name}: {_message(error)}")
            else:
                measured[name] = parts
                digest = digest_of([references.identity(name, key) for key in keys.values()])
                self._log(name, references, parts, {**tags, BASELINE_TAG: name, DIGEST_TAG: digest})
        return measured, failures

    def _log(
        self,
        name: str,
        references: References,
        parts: Mapping[str, Reference],
        tags: Mapping[str, str],
    ) -> None:
        """Log the baseline as a run of its own, unless a run with the same digest exists."""
        if _is_logged(self.tracking, tags[DIGEST_TAG]):
            logger.info("baseline %s: its run exists already", name)
            return
        config = {
            "baseline": self.config["baselines"][name],
            "evaluation": self.config["evaluation"],
        }
        conditions = {f"{EVALUATION_TAG}.{part}": r.conditions for part, r in parts.items()}
        tags = {**tags, **conditions, MONITOR_TAG: self.evaluation.monitor_name}
        with self.tracking.run(name=name, config=config, tags=tags) as run:
            run.log_metrics(_metrics(parts))
            for part, reference in parts.items():
                run.log_frame(reference.measured.per_user, f"{part}/{PER_USER}")
                run.log_text(metrics_text({name: reference.measured}), f"{part}/{METRICS}")
                run.log_frame(reference.relevant, f"{part}/{RELEVANT}")


def _message(error: Exception) -> str:
    if isinstance(error, TwoTowerError):
        return str(error)
    return f"{type(error).__name__}: {error}".rstrip(
        ": "
    )  # libraries raise many classes when out of memory


def _is_logged(tracking: Tracking, digest: str) -> bool:
    if not isinstance(tracking, MlflowTracking):
        return False
    wanted = f"attributes.status = 'FINISHED' AND tags.`{DIGEST_TAG}` = '{digest}'"
    client = open_store(tracking.uri)
    return bool(client.search_runs([tracking.experiment_id], wanted, max_results=1))


def _metrics(parts: Mapping[str, Reference]) -> dict[str, float]:
    """By the names that they have in runs of `twotower train`."""
    metrics = {"train/seconds": sum(reference.seconds for reference in parts.values())}
    for part, reference in parts.items():
        for name, value in reference.measured.values.items():
            metrics[str(MetricName.parse(name).on(_PARTS[part]))] = value
    return metrics


def _print(measured: Mapping[str, Mapping[str, Reference]], monitor: str) -> None:
    """Print one table per part, both sorted by the first part, best first."""
    console = terminal()
    parts = list(next(iter(measured.values())))
    best_first = sorted(
        measured, key=lambda name: measured[name][parts[0]].measured.values[monitor], reverse=True
    )
    for part in parts:
        of_part = {name: measured[name][part] for name in best_first}
        print_whole(console, _table(part, of_part, monitor))
    console.print(f"ordered by {MetricName.parse(monitor).title} on {parts[0]}")


def _table(part: str, references: Mapping[str, Reference], monitor: str) -> Table:
    first = next(iter(references.values())).measured
    names = shown_metrics(first.values, monitor)
    rows = [
        (
            name,
            {m: reference.measured.text(m) for m in names} | {_FIT: f"{reference.seconds:.1f}"},
        )
        for name, reference in references.items()
    ]
    conditions = json.loads(next(iter(references.values())).conditions)
    of_all = f" of {conditions['sampled_from']:,}" if "sampled_from" in conditions else ""
    title = f"{part}, {first.per_user.height:,}{of_all} users"
    return metric_table(title, rows, [*names, _FIT])


@contextmanager
def _progress_on_stderr() -> Iterator[None]:
    """Print progress messages as plain lines on stderr if no other handler shows them."""
    own = logging.getLogger("twotower")
    if own.hasHandlers():
        yield
        return
    handler, level = logging.StreamHandler(), own.level
    own.addHandler(handler)
    own.setLevel(logging.INFO)
    try:
        yield
    finally:
        own.removeHandler(handler)
        own.setLevel(level)
