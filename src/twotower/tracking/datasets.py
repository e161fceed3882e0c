"""A frame as an MLflow dataset: its description, not its rows."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from twotower.core.secrets import mask
from twotower.tracking.base import Context

MAX_DIGEST = 36
_TYPES: dict[Any, str] = {
    pl.Boolean: "boolean",
    pl.Float32: "float",
    pl.Float64: "double",
    pl.Datetime: "datetime",
    pl.Date: "datetime",
    pl.Binary: "binary",
}


def dataset_fields(
    frame: pl.DataFrame, name: str, context: Context, digest: str, source: str
) -> dict[str, str]:
    """Return the fields of `mlflow.entities.Dataset`; MLflow keeps 36 characters of a digest.

    MLflow keeps one dataset per name and digest in an experiment. The context is part of the name
    so that parts with the same digest stay separate.
    """
    is_web = source.startswith(("http://", "https://"))
    rows = {"num_rows": frame.height, "num_elements": frame.height * frame.width}
    return {
        "name": f"{name}-{context}",
        "digest": digest[:MAX_DIGEST],
        "source_type": "http" if is_web else "local",
        "source": json.dumps({"url" if is_web else "uri": mask(source)}),
        "schema": json.dumps({"mlflow_colspec": [_colspec(column) for column in frame]}),
        "profile": json.dumps(rows),
    }


def _colspec(column: pl.Series) -> dict[str, Any]:
    required = column.null_count() == 0
    return {**_type(column.dtype), "name": column.name, "required": required}


def _type(dtype: pl.DataType) -> dict[str, Any]:
    """MLflow's own `infer_schema` logs a root-logger warning for each type that it cannot map."""
    if isinstance(dtype, pl.List | pl.Array):
        return {"type": "array", "items": _type(dtype.inner)}  # type: ignore[arg-type]
    if dtype.is_integer():
        return {"type": "long" if dtype in (pl.Int64, pl.UInt64, pl.UInt32) else "integer"}
    return {"type": next((name for kind, name in _TYPES.items() if dtype == kind), "string")}
