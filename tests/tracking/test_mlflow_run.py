"""What a run holds after it was logged, read back from a real store by MLflow's own client."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from matplotlib.figure import Figure
from mlflow.entities import Run

from twotower.core.errors import ConfigError
from twotower.tracking.load import download, find_run
from twotower.tracking.mlflow_run import MAX_TAG
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.store import open_store


def logged(tracking: MlflowTracking, run_id: str | None) -> Run:
    assert run_id is not None
    return open_store(tracking.uri).get_run(run_id)


def artifact(tracking: MlflowTracking, run_id: str | None, file: str) -> Path:
    assert run_id is not None
    return download(tracking.uri, run_id, file)


def test_config_becomes_flat_params_and_a_yaml_file(tracking: MlflowTracking) -> None:
    config: dict[str, Any] = {
        "seed": 0,
        "tower": {"_target_": "twotower.tower.embedding.EmbeddingTower", "emb_dim": 16},
        "evaluation": {"k": [5, 10], "filter_seen": True, "block": None},
    }
    with tracking.run(name="first", config=config, tags={}) as run:
        pass
    assert logged(tracking, run.id).data.params == {
        "seed": "0",
        "tower": "embedding",
        "emb_dim": "16",
        "k": "[5, 10]",
        "evaluation.filter_seen": "true",
        "evaluation.block": "null",
    }
    text = artifact(tracking, run.id, "config.yaml").read_text()
    assert yaml.safe_load(text) == config
    assert list(yaml.safe_load(text)) == list(config)


def test_more_params_than_one_call_takes(tracking: MlflowTracking) -> None:
    config = {f"key{n}": n for n in range(250)}
    with tracking.run(name="many", config=config, tags={}) as run:
        pass
    assert logged(tracking, run.id).data.params == {key: str(n) for key, n in config.items()}


def test_a_param_that_is_too_long_points_to_the_file(tracking: MlflowTracking) -> None:
    with tracking.run(name="long", config={"note": "x" * 6001, "fits": "y" * 6000}, tags={}) as run:
        pass
    params = logged(tracking, run.id).data.params
    assert params == {"note": "<6,001 characters: see config.yaml>", "fits": "y" * 6000}
    whole = yaml.safe_load(artifact(tracking, run.id, "config.yaml").read_text())
    assert whole["note"] == "x" * 6001


def test_no_password_is_stored(tracking: MlflowTracking, output_dir: Path) -> None:
    secret = "hunter2"
    config = {
        "tracking": {"uri": f"https://me:{secret}@mlflow.example.org"},
        "mirrors": [{"url": f"https://data.example.org/log.csv?token={secret}"}],
    }
    tags = {"origin": f"https://me:{secret}@data.example.org/log.csv"}
    error = OSError(f"cannot read {tags['origin']}")

    def fail() -> None:
        with tracking.run(name="secret", config=config, tags=tags) as run:
            run.log_dataset(pl.DataFrame({"a": [1]}), "log", "train", "d", tags["origin"])
            run.set_tags({"again": tags["origin"]})
            run.set_description(f"From {tags['origin']}")
            raise error

    with pytest.raises(OSError, match=secret):  # the caller still sees the error as it was
        fail()
    run = find_run(tracking.uri, "twotower", "secret")
    params = run.params
    assert params["mirrors"] == '[{"url": "https://data.example.org/log.csv?token=***"}]'
    files = [path for path in output_dir.rglob("*") if path.is_file()]
    assert {"mlflow.db", "config.yaml", "traceback.txt"} <= {path.name for path in files}
    assert not [path for path in files if secret.encode() in path.read_bytes()]


def test_metrics_of_one_step_and_of_the_whole_run(tracking: MlflowTracking) -> None:
    with tracking.run(name="metrics", config={}, tags={}) as run:
        for epoch in range(3):
            run.log_metrics({"train/loss": 1.0 / (epoch + 1), "val/ndcg_at_10": 0.1}, step=epoch)
        run.log_metrics({"test/ndcg_at_10": np.float32(0.5), "test/n": torch.tensor(2.0)})  # type: ignore[dict-item]
    assert logged(tracking, run.id).data.metrics == {
        "train/loss": 1 / 3,
        "val/ndcg_at_10": 0.1,
        "test/ndcg_at_10": 0.5,
        "test/n": 2.0,
    }
    history = open_store(tracking.uri).get_metric_history(str(run.id), "train/loss")
    assert [(metric.step, metric.value) for metric in history] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]


def test_more_metrics_than_one_call_takes(tracking: MlflowTracking) -> None:
    values = {f"baseline/popularity/metric_{n}": float(n) for n in range(1001)}
    with tracking.run(name="many", config={}, tags={}) as run:
        run.log_metrics(values)
    assert logged(tracking, run.id).data.metrics == values


@pytest.mark.parametrize("name", ["test/ndcg@10", "ndcg+hitrate", "", "test//ndcg", "/ndcg"])
def test_refused_metric_names(tracking: MlflowTracking, name: str) -> None:
    with tracking.run(name="names", config={}, tags={}) as run:
        with pytest.raises(ConfigError) as caught:
            run.log_metrics({"fine": 1.0, name: 1.0})
        assert str(caught.value).startswith(f"Metric name {name!r} cannot be tracked: ")
        assert "Write 'test/ndcg_at_10', not 'test/ndcg@10'." in str(caught.value)
    assert logged(tracking, run.id).data.metrics == {}  # nothing of a refused call is written


def test_values_that_are_not_finite_are_kept(tracking: MlflowTracking) -> None:
    with tracking.run(name="diverged", config={}, tags={}) as run:
        run.log_metrics({"train/loss": math.inf, "val/loss": math.nan, "val/mrr": 0.5}, step=7)
        run.log_metrics({"test/loss": -math.inf})
    data = logged(tracking, run.id).data
    assert math.isnan(data.metrics["train/loss"])
    assert math.isnan(data.metrics["val/loss"])
    assert data.metrics["val/mrr"] == 0.5
    notes = {key: value for key, value in data.tags.items() if key.startswith("infinite.")}
    assert notes == {"infinite.train/loss": "inf at step 7", "infinite.test/loss": "-inf"}


def test_datasets_of_one_split_stay_separate(tracking: MlflowTracking) -> None:
    digest = "0123456789abcdef" * 4
    train = pl.DataFrame(
        {"user_id": [1, 2, 3], "rating": [1.0, None, 3.0], "genres": [["a"], [], ["b"]]},
        schema_overrides={"user_id": pl.UInt32},
    )
    with tracking.run(name="data", config={}, tags={}) as run:
        run.log_dataset(train, "ml", "train", digest, "https://example.org/ml.zip")
        run.log_dataset(train.head(1), "ml", "test", digest, "the archive of GroupLens")
    inputs = logged(tracking, run.id).inputs
    assert inputs is not None
    found = {entry.dataset.name: entry for entry in inputs.dataset_inputs}
    assert set(found) == {"ml-train", "ml-test"}
    dataset = found["ml-train"].dataset
    assert dataset.digest == digest[:36]
    assert dataset.profile == '{"num_rows": 3, "num_elements": 9}'
    assert dataset.source == '{"url": "https://example.org/ml.zip"}'
    assert dataset.schema == (
        '{"mlflow_colspec": ['
        '{"type": "long", "name": "user_id", "required": true}, '
        '{"type": "double", "name": "rating", "required": false}, '
        '{"type": "array", "items": {"type": "string"}, "name": "genres", "required": true}]}'
    )
    assert found["ml-test"].dataset.profile == '{"num_rows": 1, "num_elements": 3}'
    assert [tag.value for tag in found["ml-test"].tags] == ["test"]


def test_files_of_every_kind(tracking: MlflowTracking, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "best.ckpt").write_bytes(b"weights")
    frame = pl.DataFrame({"user_id": ["a"], "score": [0.5]})
    figure = Figure()
    figure.add_subplot().plot([0, 1])
    with tracking.run(name="files", config={}, tags={}) as run:
        run.log_file(folder / "best.ckpt")
        run.log_folder(folder, "model")
        run.log_figure(figure, "plots/loss.png")
        run.log_frame(frame, "recommendations/test.parquet")
        run.log_frame(frame, "top.parquet")
        run.log_text("привет", "notes/hello.txt")
        run.log_yaml({"z": 1, "a": [2]}, "splits.yaml")
    assert artifact(tracking, run.id, "best.ckpt").read_bytes() == b"weights"
    assert artifact(tracking, run.id, "model/best.ckpt").read_bytes() == b"weights"
    assert artifact(tracking, run.id, "plots/loss.png").read_bytes()[1:4] == b"PNG"
    for file in ("recommendations/test.parquet", "top.parquet"):
        assert pl.read_parquet(artifact(tracking, run.id, file)).equals(frame)
    assert artifact(tracking, run.id, "notes/hello.txt").read_text(encoding="utf-8") == "привет"
    assert artifact(tracking, run.id, "splits.yaml").read_text() == "z: 1\na:\n- 2\n"


def test_a_long_description_is_cut_with_a_pointer(tracking: MlflowTracking) -> None:
    with tracking.run(name="described", config={}, tags={}) as run:
        run.set_description("# Short")
    assert logged(tracking, run.id).data.tags["mlflow.note.content"] == "# Short"
    with tracking.run(name="described", config={}, tags={}, run_id=run.id) as run:
        run.set_description("x" * 6000)
    shown = logged(tracking, run.id).data.tags["mlflow.note.content"]
    assert len(shown) == MAX_TAG
    assert shown.endswith("x … (6,000 characters; whole text: description.md)")
    assert artifact(tracking, run.id, "description.md").read_text() == "x" * 6000


def test_tags_of_the_environment_and_of_the_caller(tracking: MlflowTracking) -> None:
    with tracking.run(name="tags", config={}, tags={"split.digest": "abc"}) as run:
        run.set_tags({"later": "yes"})
    tags = logged(tracking, run.id).data.tags
    assert tags["split.digest"] == "abc"
    assert tags["later"] == "yes"
    assert tags["version.torch"] == torch.__version__
    assert tags["mlflow.runName"] == "tags"


def test_a_child_goes_under_its_parent(tracking: MlflowTracking) -> None:
    with tracking.run(name="sweep", config={}, tags={}) as parent:
        tags = {"mlflow.parentRunId": str(parent.id)}
        with tracking.run(name="trial", config={}, tags=tags) as child:
            child.log_metrics({"val/mrr": 0.5})
        parent.log_metrics({"best": 0.5})
    found = open_store(tracking.uri).search_runs(
        [tracking.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.id}'"
    )
    assert [run.info.run_id for run in found] == [child.id]
    assert logged(tracking, parent.id).data.metrics == {"best": 0.5}
