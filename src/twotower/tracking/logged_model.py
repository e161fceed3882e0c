"""A run's entry in MLflow's list of models: metrics and data, without a second copy."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric

from twotower.types.metric_name import MetricName

__all__ = ["enter_model"]

_REFUSED = re.compile(r"[/:.%\"'\x00-\x1f]+")
_LONGEST = 200
_TYPE = "two-tower"
_PARTS = {"test": "test", "val": "validation"}  # by the first part of a metric's name


def enter_model(
    client: MlflowClient,
    experiment_id: str,
    run_id: str,
    name: str,
    folder: str,
    metrics: Mapping[str, float],
    step: int,
    at: int,
) -> None:
    """List the model that the run keeps in `folder`, once per run.

    Args:
        folder: The model's folder in the run.
        metrics: By their names in the run. Metrics on validation and test are linked to the part
            that the run has logged.
        step: The step at which the run has them. MLflow logs them again, so another step would
            add a point to their curves.
        at: When, in ms since 1970.
    """
    run = client.get_run(run_id)
    if run.outputs is not None and run.outputs.model_outputs:
        return
    # An earlier call may have been cut off after it created the model.
    known = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
    model = (
        known[0]
        if known
        else client.create_logged_model(
            experiment_id,
            name=_REFUSED.sub(" ", name).strip()[:_LONGEST] or _TYPE,
            source_run_id=run_id,
            tags={"artifacts": f"runs:/{run_id}/{folder}"},
            model_type=_TYPE,
        )
    )
    inputs = run.inputs.dataset_inputs if run.inputs is not None else []
    parts = {each.tags[0].value: each.dataset for each in inputs}
    entered = []
    for key, value in metrics.items():
        part = parts.get(_PARTS.get(MetricName.parse(key).part or "", ""))
        data = {"dataset_name": part.name, "dataset_digest": part.digest} if part else {}
        made = Metric(key, value, at, step, model_id=model.model_id, run_id=run_id, **data)
        entered.append(made)
    client.log_batch(run_id, metrics=entered)
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step)])
