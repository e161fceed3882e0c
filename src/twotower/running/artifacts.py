"""What a run logs to MLflow: data, metrics and files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import torch

from twotower.core.memory import peak_gib
from twotower.dataset.digest import frames_digest
from twotower.evaluation import Measured
from twotower.running.result import Judged, Result
from twotower.tracking.base import Context, Run
from twotower.tracking.tags import EVALUATION_TAG, KEPT, MODEL_TAG, MONITOR_TAG
from twotower.training import Cost
from twotower.types import Interactions, SplitFrames, StreamedFrames
from twotower.types.metric_name import MetricName, headline_metrics

__all__ = [
    "BEST_BASELINE",
    "METRICS",
    "PER_USER",
    "RELEVANT",
    "log",
    "log_data",
    "log_judged",
    "metrics_text",
    "summary",
]

PER_USER = "per_user.parquet"
RELEVANT = "relevant.parquet"
METRICS = "metrics.json"
_NOT_KEPT = "not kept, as save_models says; rerun with save_models=all to keep it"
BEST_BASELINE = "best_baseline"  # tag: whose metrics are `baseline/...`


def log_data(run: Run, name: str, interactions: Interactions, frames: SplitFrames) -> None:
    """Log schema, row count and digest of each part of the data set `name`."""
    if run.id is None:  # nothing is tracked
        return
    run.set_tags({"split.digest": frames.digest, "data.digest": interactions.digest})
    parts: dict[Context, pl.DataFrame | None] = {
        "train": frames.train,
        "validation": frames.validation,
        "test": frames.test,
    }
    for context, frame in parts.items():
        streamed = context == "train" and isinstance(frames, StreamedFrames)  # not in memory
        if frame is not None and not streamed:
            digest = frames_digest({context: frame})
            run.log_dataset(frame, name, context, digest, interactions.origin)


def log(run: Run, result: Result, *, keep_model: bool) -> None:
    """Log the metrics, frames and, if `keep_model`, the model of a finished run."""
    if run.id is None:  # nothing is tracked
        return
    # Validation metrics were logged after each epoch.
    others = ("val", "val_baseline", "baseline")
    own = {n: v for n, v in summary(result).items() if MetricName.parse(n).part not in others}
    groups = result.validation.group_metrics if result.validation is not None else {}
    run.log_metrics({**own, **groups, **_to_beat(run, result)})
    for judged in (result.validation, result.test):
        if judged is not None:
            log_judged(run, judged)
    run.set_tags({MONITOR_TAG: result.monitor, MODEL_TAG: KEPT if keep_model else _NOT_KEPT})
    if keep_model:
        _log_model(run, result)
    if result.test is not None:
        run.log_frame(result.test.recommendation_lists, "recommendations.parquet")


def summary(result: Result) -> dict[str, float]:
    """Return the metrics of the whole run, by their names in MLflow."""
    test = result.test
    train = result.judged.fold.train
    first, *refits = result.fits
    judged = {"validation": result.validation, "test": test}
    users = {
        f"data/{part}_users": float(len(each.fold.holdout.users))
        for part, each in judged.items()
        if each is not None
    }
    return {
        **result.metrics,
        **users,
        "model/parameters": result.n_parameters,
        "model/best_epoch": first.best_epoch,
        "train/seconds": first.seconds,
        "train/positives_per_second": first.cost.positives_per_second,
        **({"train/refit/seconds": refits[0].seconds} if refits else {}),
        **(_validation_cost(first.cost) if result.selected is not None else {}),
        **_memory(),
        "data/train_interactions": len(train),
        "data/users": train.n_users,
        "data/items": train.n_items,
    }


def _validation_cost(cost: Cost) -> dict[str, float]:
    return {
        "validation/seconds": cost.validation_seconds,
        "validation/share": cost.validation_share,
    }


def _memory() -> dict[str, float]:
    """Return the peaks of memory of this process so far, in GiB."""
    peaks = {"memory/peak_gib": peak_gib()}
    if torch.cuda.is_available():
        peaks["memory/gpu_peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    return {name: value for name, value in peaks.items() if value is not None}


def _log_model(run: Run, result: Result) -> None:
    """Log the model with its test metrics, or its validation metrics if not tested."""
    from twotower.serving.mlflow_model import save_mlflow_model  # imports MLflow

    part, step = "test", None
    if result.test is None:
        assert result.selected is not None, "a run without both is refused before it starts"
        part, step = "val", result.selected.history.height + 1  # of the kept epoch's values
    parsed = {MetricName.parse(name): value for name, value in result.metrics.items()}
    metrics = {str(n): v for n, v in parsed.items() if n.part == part and n.model is None}
    with tempfile.TemporaryDirectory(prefix="twotower-") as scratch:
        folder = Path(scratch, "model")
        save_mlflow_model(result.recommender, folder)
        run.log_model(folder, metrics, step)


def _to_beat(run: Run, result: Result) -> dict[str, float]:
    """Return the metrics of the best baseline, for charts: `baseline/ndcg_at_10` on the test part
    and `val_baseline/...` on validation.

    The best one has the highest monitor on validation, or on the test part without validation; the
    tag `best_baseline` names it. `<part>/metrics.json` has all of them.
    """
    chosen_on = result.validation or result.judged
    if not chosen_on.baselines:
        return {}
    names = chosen_on.baselines
    best = max(names, key=lambda name: names[name].values[result.monitor])
    run.set_tags({BEST_BASELINE: best})
    values: dict[str, float] = {}
    for judged, prefix in ((result.validation, "val_baseline"), (result.test, "baseline")):
        if judged is not None and best in judged.baselines:
            known = judged.baselines[best].values
            shown = headline_metrics(known, result.monitor) or [result.monitor]
            values |= {str(MetricName.parse(name).on(prefix)): known[name] for name in shown}
    return values


def log_judged(run: Run, judged: Judged) -> None:
    """Log the values per user and per held-out pair that the means are computed from."""
    run.set_tags({f"{EVALUATION_TAG}.{judged.part}": judged.conditions})
    run.log_frame(judged.measured.per_user, f"{judged.part}/{PER_USER}")
    run.log_frame(judged.relevant, f"{judged.part}/{RELEVANT}")
    models = {"this run": judged.measured, **judged.baselines}
    run.log_text(metrics_text(models), f"{judged.part}/{METRICS}")
    for name, measured in judged.baselines.items():
        run.log_frame(measured.per_user, f"{judged.part}/baselines/{name}/{PER_USER}")


def metrics_text(models: Mapping[str, Measured]) -> str:
    """Return JSON: by model and metric `value` and, with an interval, `low` and `high`."""
    values = {
        model: {name: _with_ends(measured, name) for name in measured.values}
        for model, measured in models.items()
    }
    return json.dumps(values, indent=2, ensure_ascii=False)


def _with_ends(measured: Measured, name: str) -> dict[str, float]:
    ends = dict(zip(("low", "high"), measured.intervals.get(name, ()), strict=False))
    return {"value": measured.values[name], **ends}
