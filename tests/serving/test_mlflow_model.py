"""The model as MLflow loads it, from a run and from the registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.models import Model

import twotower
from twotower.core.errors import RunNotFoundError
from twotower.serving.mlflow_model import save_mlflow_model
from twotower.serving.recommender import Recommender
from twotower.tracking.models import find_model
from twotower.tracking.registry import register_model, set_alias
from twotower.tracking.store import open_store

Logged = tuple[Any, str, MlflowClient]


@pytest.fixture
def pickle_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")


@pytest.fixture
def logged(small: list[str], output_dir: Path) -> Logged:
    result = twotower.run(small)
    uri = f"sqlite:///{output_dir}/mlflow.db"
    return result, uri, open_store(uri)


@pytest.fixture
def at_store(logged: Logged) -> Any:
    mlflow.set_tracking_uri(logged[1])
    yield
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def model_output(client: MlflowClient, run_id: str) -> LoggedModelOutput:
    outputs = client.get_run(run_id).outputs
    assert outputs is not None
    (output,) = outputs.model_outputs
    return output


def test_a_run_has_a_model_that_mlflow_loads_without_pickle(
    logged: Logged, at_store: None, pickle_free: None, output_dir: Path
) -> None:
    result, _, client = logged
    model = mlflow.pyfunc.load_model(f"runs:/{result.run_id}/model")
    lists = model.predict(pd.DataFrame({"user_id": [3, 1]}), params={"k": 4})
    assert list(lists.columns) == ["user_id", "item_id", "score", "rank", "title", "based_on"]
    assert lists[result.recommend([3, 1], k=4).columns].equals(result.recommend([3, 1], k=4))

    def items(**params: Any) -> list[int]:
        listed = model.predict(pd.DataFrame({"user_id": [3]}), params=params)["item_id"]
        return [int(item) for item in listed]

    best = items(k=10)
    assert items(k=3, exclude=best[:1]) == best[1:4]
    assert items(k=3, items=[best[5], best[2]]) == [best[2], best[5]]
    assert len(items(k=40, drop_seen=False)) == 40 > len(items(k=40))
    with pytest.raises(MlflowException, match="k: got 0; must be an integer >= 1"):
        items(k=0)
    unknown = model.predict(pd.DataFrame({"user_id": [999]}), params={"k": 2})
    assert unknown["based_on"].tolist() == ["popularity"] * 2
    # What the server and the registry show of it.
    output = model_output(client, result.run_id)
    listed = client.get_logged_model(output.model_id)
    meta = Model.load(str(Path(listed.artifact_location)))
    assert (meta.run_id, meta.model_id) == (result.run_id, output.model_id)
    needs = Path(listed.artifact_location, "requirements.txt").read_text()
    assert {"torch==", "polars==", "numpy==", "mlflow=="} <= {
        f"{line.partition('==')[0]}==" for line in needs.splitlines()
    }
    assert str(output_dir) not in Path(listed.artifact_location, "MLmodel").read_text()
    example = meta.load_input_example(listed.artifact_location)
    assert model.predict(example, params={"k": 3})["user_id"].nunique() == 2


def test_models_of_the_registry_and_of_runs_are_loaded_by_address(
    logged: Logged, small: list[str]
) -> None:
    result, uri, client = logged
    where = [line for line in small if line.startswith("output_dir")]
    output = model_output(client, result.run_id)
    version = register_model(find_model(uri, "twotower", result.run_id), "movies")
    assert register_model(find_model(uri, "twotower", "latest"), "movies") == version  # once
    assert register_model(find_model(uri, "twotower", "latest"), "films") == "1"
    tags = client.get_logged_model(output.model_id).tags  # what pages of models show
    versions = json.loads(tags["mlflow.modelVersions"])
    assert versions == [{"name": "movies", "version": 1}, {"name": "films", "version": 1}]
    assert result.name in str(client.get_model_version("movies", "1").description)
    set_alias(uri, "movies", "champion", version)
    expected = result.recommend([3, 1], k=4)
    for address in (
        *(f"runs:/{result.run_id}", f"runs:/{result.run_id}/model", result.run_id[:8], result.name),
        *("models:/movies@champion", "models:/movies/1", f"models:/{output.model_id}", "latest"),
    ):
        assert twotower.load(address, where).recommend([3, 1], k=4).equals(expected)
    for missing in ("models:/movies@nobody", "models:/movies/7", "models:/series/1"):
        with pytest.raises(RunNotFoundError, match=r"No model .*Registered models: films, movies"):
            twotower.load(missing, where)
    with pytest.raises(RunNotFoundError, match="expected models:/<name>@<alias>, models:/<name>/"):
        twotower.load("models:/movies", where)


def test_a_run_that_kept_no_model_says_why(small: list[str]) -> None:
    result = twotower.run([*small, "save_models=none"])
    assert result.run_id is not None
    where = [line for line in small if line.startswith("output_dir")]
    with pytest.raises(RunNotFoundError, match=r"has no model: not kept, as save_models says"):
        twotower.load(result.run_id, where)
    with pytest.raises(RunNotFoundError, match="latest"):  # it is not the latest with a model
        twotower.load("latest", where)


def test_histories_are_sent_as_interactions(
    tmp_path: Path, small: list[str], pickle_free: None
) -> None:
    result = twotower.run([*small, "tower=history", "tracking=none"])
    save_mlflow_model(result.recommender, tmp_path / "model")
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    visits = pd.DataFrame({"user_id": [900, 900], "item_id": [3, 7], "timestamp": [1, 2]})
    lists = model.predict(visits, params={"k": 5})
    expected = result.recommender.recommend_from(visits, k=5)
    assert lists["item_id"].tolist() == expected["item_id"].tolist()
    assert set(lists["based_on"]) == {"history"}
    unknown = model.predict(pd.DataFrame({"user_id": [900]}))
    assert set(unknown["based_on"]) == {"no_history"}


def test_the_folder_of_an_mlflow_model_is_a_folder_of_a_model(
    tmp_path: Path, untracked_result: Callable[[], Any]
) -> None:
    result = untracked_result()
    save_mlflow_model(result.recommender, tmp_path / "model")
    loaded = twotower.load(tmp_path / "model")
    assert loaded.recommend([1], k=3).equals(result.recommend([1], k=3))
    # twotower reads no code from it, whatever the folder says.
    (tmp_path / "model" / "mlflow_code.py").write_text("raise SystemExit('attacked')")
    meta = yaml.safe_load((tmp_path / "model" / "MLmodel").read_text())
    assert meta["flavors"]["python_function"]["model_code_path"] == "mlflow_code.py"
    assert Recommender.load(tmp_path / "model").users.n == 60


@pytest.fixture
def untracked_result(small: list[str]) -> Callable[[], Any]:
    return lambda: twotower.run([*small, "tracking=none", "trainer.max_epochs=1"])
