"""A recommender as an MLflow model, for `mlflow.pyfunc.load_model` and `mlflow models serve`.

It is logged as a model from code: nothing in its folder is unpickled.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import save_model
from mlflow.pyfunc.model import PythonModel
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from twotower.core.errors import TwoTowerError
from twotower.serving.files import INNER
from twotower.serving.recommender import Recommender
from twotower.types import ITEM, TIMESTAMP, USER

__all__ = ["ALLOW_TARGETS", "MlflowModel", "save_mlflow_model"]

ALLOW_TARGETS = "TWOTOWER_ALLOW_TARGETS"  # environment variable: packages, separated by commas

_CODE = Path(__file__).with_name("mlflow_code.py")
_ARTIFACT = "model"
_NAME = re.compile(r"[\w.-]+")


class MlflowModel(PythonModel):
    """Predicts lists of items for a frame of user ids."""

    def load_context(self, context: Any) -> None:
        """Load the model; its classes may come from the packages that `ALLOW_TARGETS` names."""
        allowed = [name for name in os.environ.get(ALLOW_TARGETS, "").split(",") if name]
        self._recommender = Recommender.load(Path(context.artifacts[_ARTIFACT]), allowed)

    def predict(  # MLflow reads the type hints
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return `user_id`, `item_id`, `score`, `rank`, `title` if known, and `based_on`.

        Args:
            context: Not used.
            model_input: A frame of `user_id`; for a model that reads histories it may have
                `item_id` and `timestamp`: the interactions that represent the users.
            params: `k`, `drop_seen`, `items` and `exclude` of `Recommender.recommend`; an empty
                list of items is none.

        Raises:
            MlflowException: What is wrong with the input, as a server sends it to its client.
        """
        try:
            return _predicted(self._recommender, model_input, params or {})
        except TwoTowerError as error:
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from error


def _predicted(
    recommender: Recommender, given: pd.DataFrame, params: Mapping[str, Any]
) -> pd.DataFrame:
    k, drop_seen = int(params.get("k", 10)), bool(params.get("drop_seen", True))
    items, exclude = (list(params.get(key, ())) or None for key in ("items", "exclude"))
    if ITEM in given.columns and given[ITEM].notna().any():
        lists = pl.from_pandas(recommender.recommend_from(given, k, drop_seen, items, exclude))
    else:
        lists = recommender.recommend(given[USER].tolist(), k, drop_seen, items, exclude)
    last = [name for name in ("title", "based_on") if name in lists.columns]
    frame: pl.DataFrame = lists.select(USER, ITEM, "score", "rank", *last)
    return frame.to_pandas()


def save_mlflow_model(recommender: Recommender, folder: Path) -> None:
    """Write `recommender` to `folder`, which must not exist, as an MLflow model.

    Args:
        recommender: The trained model.
        folder: Its parent must exist.
    """
    example = recommender.vocabulary.users.head(2).to_frame(USER).to_pandas()
    with _quiet():
        save_model(
            folder,
            python_model=str(_CODE),
            signature=_signature(recommender),
            input_example=(example, {"k": 3}),
            pip_requirements=list(_requirements()),
        )
    recommender.save(folder / INNER)
    meta = Model.load(str(folder))
    meta.flavors["python_function"]["artifacts"] = {
        _ARTIFACT: {"path": INNER.as_posix(), "uri": INNER.as_posix()}
    }
    meta.flavors["python_function"]["model_code_path"] = _CODE.name
    meta.save(str(folder / "MLmodel"))


def _signature(recommender: Recommender) -> ModelSignature:
    ids = {
        USER: _type(recommender.vocabulary.users),
        ITEM: _type(recommender.vocabulary.items),
    }
    inputs: list[Any] = [ColSpec(ids[USER], USER)]
    if recommender.model.history_length is not None:
        inputs.append(ColSpec(ids[ITEM], ITEM, required=False))
        inputs.append(ColSpec(DataType.long, TIMESTAMP, required=False))
    outputs: list[Any] = [ColSpec(ids[USER], USER), ColSpec(ids[ITEM], ITEM)]
    outputs += [ColSpec(DataType.float, "score"), ColSpec(DataType.long, "rank")]
    if recommender.items.features is not None and "title" in recommender.items.features.columns:
        outputs.append(ColSpec(DataType.string, "title", required=False))
    outputs.append(ColSpec(DataType.string, "based_on"))
    params = [
        ParamSpec("k", DataType.long, 10),
        ParamSpec("drop_seen", DataType.boolean, True),
        ParamSpec("items", ids[ITEM], [], shape=(-1,)),
        ParamSpec("exclude", ids[ITEM], [], shape=(-1,)),
    ]
    return ModelSignature(Schema(inputs), Schema(outputs), ParamSchema(params))


def _type(ids: pl.Series) -> DataType:
    return DataType.long if ids.dtype == pl.Int64 else DataType.string


@cache
def _requirements() -> tuple[str, ...]:
    """Return twotower and what it needs, at the installed versions.

    MLflow would infer them by loading the model in another process, which takes seconds.
    """
    names = ["twotower"]
    for line in requires("twotower") or ():
        name = _NAME.match(line)
        if name is not None and "extra ==" not in line:
            names.append(name.group())
    return tuple(_pinned(names))


def _pinned(names: list[str]) -> Iterator[str]:
    for name in names:
        try:
            yield f"{name}=={version(name)}"
        except PackageNotFoundError:  # run from a source tree that is not installed
            continue


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence MLflow's progress messages."""
    logger = logging.getLogger("mlflow.pyfunc")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
