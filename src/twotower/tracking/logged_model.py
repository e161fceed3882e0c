"""A run's model as MLflow lists models: an entry with metrics and data, without a second copy."""

from __future__ import annotations

import re
import time
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
) -> None:
    """Enter the model that the run keeps in its own `folder`, once for each run.

    metrics: by their names in the run, which has them at `step`. MLflow enters them there again, so
    that another step would add a point to their curves. Those of the test and of validation are
    entered with the part that the run has logged.
    """
    run = client.get_run(run_id)
    if run.outputs is not None and run.outputs.model_outputs:
        return
    model = client.create_logged_model(
        experiment_id,
        name=_REFUSED.sub(" ", name).strip()[:_LONGEST] or _TYPE,
        source_run_id=run_id,
        tags={"artifacts": f"runs:/{run_id}/{folder}"},
        model_type=_TYPE,
    )
    inputs = run.inputs.dataset_inputs if run.inputs is not None else []
    now = int(time.time() * 1000)
    parts = {each.tags[0].value: each.dataset for each in inputs}
    entered = [
        Metric(
            key,
            value,
            now,
            step,
            model_id=model.model_id,
            dataset_name=part.name if part else None,
            dataset_digest=part.digest if part else None,
            run_id=run_id,
        )
        for key, value in metrics.items()
        for part in [parts.get(_PARTS.get(MetricName.parse(key).part or "", ""))]
    ]
    client.log_batch(run_id, metrics=entered)
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step)])
