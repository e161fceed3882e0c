"""The model of a run as an MLflow logged model: its files, metrics and data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric, Run
from mlflow.models import Model

from twotower.types.metric_name import MetricName

__all__ = ["MODEL_NAME", "log_model"]

MODEL_NAME = "model"  # in `runs:/<id>/model`

_TYPE = "two-tower"
_PARTS = {"test": "test", "val": "validation"}  # by the first part of a metric's name


def log_model(
    client: MlflowClient,
    run_id: str,
    folder: Path,
    metrics: Mapping[str, float],
    step: int,
    at: int,
) -> None:
    """Log the model in `folder`, and link it to the run; a run has one model, the last one.

    Args:
        client: Of the store of the run.
        run_id: The run that trained the model.
        folder: Its files: an MLflow model. Its `MLmodel` is completed with the run's id.
        metrics: By their names in the run. Metrics on validation and test are linked to the part
            that the run has logged.
        step: The step at which the run has them. MLflow logs them again, and with the same step and
            time that adds no point to their curves.
        at: The time of those that the run does not have, in ms since 1970.
    """
    run = client.get_run(run_id)
    linked = run.outputs is not None and bool(run.outputs.model_outputs)
    model_id = _model_id(client, run)
    meta = Model.load(str(folder))
    meta.run_id, meta.model_id = run_id, model_id
    meta.save(str(folder / "MLmodel"))
    client.log_model_artifacts(model_id, str(folder))
    client.log_batch(run_id, metrics=_metrics(client, run, model_id, metrics, step, at))
    if not linked:
        client.finalize_logged_model(model_id, LoggedModelStatus.READY)
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step)])


def _model_id(client: MlflowClient, run: Run) -> str:
    """Return the id of the run's model, which is created if there is none."""
    # An earlier call may have been cut off after it created the model.
    wanted = f"source_run_id = '{run.info.run_id}'"
    known = client.search_logged_models([run.info.experiment_id], wanted)
    model = (
        known[0]
        if known
        else client.create_logged_model(
            run.info.experiment_id,
            name=MODEL_NAME,
            source_run_id=run.info.run_id,
            params=run.data.params,
            model_type=_TYPE,
        )
    )
    model_id: str = model.model_id
    return model_id


def _metrics(
    client: MlflowClient,
    run: Run,
    model_id: str,
    values: Mapping[str, float],
    step: int,
    at: int,
) -> list[Metric]:
    inputs = run.inputs.dataset_inputs if run.inputs is not None else []
    parts = {each.tags[0].value: each.dataset for each in inputs}
    times = {
        row.key: row.timestamp
        for key in values
        for row in client.get_metric_history(run.info.run_id, key)
        if row.step == step
    }
    found = []
    for key, value in values.items():
        part = parts.get(_PARTS.get(MetricName.parse(key).part or "", ""))
        data = {"dataset_name": part.name, "dataset_digest": part.digest} if part else {}
        ids = {"model_id": model_id, "run_id": run.info.run_id}
        found.append(Metric(key, value, times.get(key, at), step, **ids, **data))
    return found
