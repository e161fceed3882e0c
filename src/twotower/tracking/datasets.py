"""A frame as an MLflow dataset input: its description, not its rows."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from twotower.core.secrets import mask
from twotower.tracking.base import Context

MAX_DIGEST = 36


def dataset_input(
    frame: pl.DataFrame, name: str, context: Context, digest: str, source: str
) -> DatasetInput:
    """Return schema, row count and digest of `frame`; MLflow keeps 36 characters of a digest.

    MLflow keeps one dataset per name and digest in an experiment. The context is part of the name
    so that parts with the same digest stay separate.
    """
    dataset = Dataset(
        name=f"{name}-{context}",
        digest=digest[:MAX_DIGEST],
        source_type="http" if source.startswith(("http://", "https://")) else "local",
        source=json.dumps({_source_key(source): mask(source)}),
        schema=json.dumps({"mlflow_colspec": [_colspec(column) for column in frame]}),
        profile=json.dumps({"num_rows": frame.height, "num_elements": frame.height * frame.width}),
    )
    return DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, context)])


def _source_key(source: str) -> str:
    return "url" if source.startswith(("http://", "https://")) else "uri"


def _colspec(column: pl.Series) -> dict[str, Any]:
    return {
        **_type(column.dtype),
        "name": column.name,
        "required": column.null_count() == 0,
    }


def _type(dtype: pl.DataType) -> dict[str, Any]:
    """MLflow's own `infer_schema` logs a root-logger warning for each type that it cannot map."""
    if isinstance(dtype, pl.List | pl.Array):
        return {"type": "array", "items": _type(dtype.inner)}  # type: ignore[arg-type]
    return {"type": _scalar_type(dtype)}


def _scalar_type(dtype: pl.DataType) -> str:
    if dtype == pl.Boolean:
        return "boolean"
    if dtype == pl.Float32:
        return "float"
    if dtype.is_float():
        return "double"
    if dtype.is_integer():
        return "long" if dtype in (pl.Int64, pl.UInt64, pl.UInt32) else "integer"
    if dtype in (pl.Datetime, pl.Date):
        return "datetime"
    return "binary" if dtype == pl.Binary else "string"
