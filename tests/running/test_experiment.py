"""A whole run in this process: its result and what it logs to MLflow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Run
from numpy.typing import NDArray

import twotower
from twotower.config import CONF_DIR, build, compose
from twotower.core.errors import ConfigError, DataError, TrainingError
from twotower.serving.recommender import Recommender
from twotower.tracking.load import download
from twotower.tracking.store import open_store

SHOWN = ("ndcg", "hitrate", "coverage")
RECIPES = sorted(path.stem for path in (CONF_DIR / "experiment").glob("*.yaml"))


def store(output_dir: Path) -> MlflowClient:
    return open_store(f"sqlite:///{output_dir}/mlflow.db")


def only_run(output_dir: Path) -> Run:
    client = store(output_dir)
    experiment = client.get_experiment_by_name("twotower")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    return run


def fetch(output_dir: Path, run: Run, path: str) -> Path:
    return download(f"sqlite:///{output_dir}/mlflow.db", run.info.run_id, path)


def test_the_result_of_a_run_is_in_mlflow(small: list[str], output_dir: Path) -> None:
    result = twotower.run([*small, "evaluation.k=[5,10]"])
    run = only_run(output_dir)
    assert (run.info.run_id, run.info.status) == (result.run_id, "FINISHED")
    for name in SHOWN:
        for part in ("test/", "val/", "baseline/popularity/"):
            assert 0 <= result.metrics[f"{part}{name}_at_10"] <= 1
    # The last value of a validation curve, which tables show, is that of the kept epoch.
    own = {name: v for name, v in result.metrics.items() if name.startswith(("test/", "val/"))}
    assert {name: run.data.metrics[name] for name in own} == pytest.approx(own, abs=1e-12)
    assert result.metrics["val/ndcg_at_5"] == pytest.approx(result.history["val/ndcg_at_5"].max())
    logged = json.loads(fetch(output_dir, run, "test/metrics.json").read_text())
    of_test = logged["this run"]["ndcg_at_5"]
    assert of_test["low"] < result.metrics["test/ndcg_at_5"] == of_test["value"] < of_test["high"]
    # One baseline, at the depth that is looked at: the others are in the file.
    assert {name for name in run.data.metrics if "baseline/" in name} == {
        f"{part}baseline/{name}_at_5" for part in ("", "val_") for name in SHOWN
    }
    popularity = result.metrics["baseline/popularity/ndcg_at_5"]
    assert run.data.metrics["baseline/ndcg_at_5"] == popularity
    assert logged["popularity"]["ndcg_at_5"]["value"] == popularity
    assert run.data.tags["best_baseline"] == "popularity"
    assert {name.partition("/")[0] for name in run.data.metrics} == {
        *("train", "val", "test", "model", "data", "baseline", "val_baseline"),
        *("validation", "memory"),
    }
    curve = store(output_dir).get_metric_history(run.info.run_id, "train/loss")
    assert [point.step for point in curve][: len(result.history)] == list(
        range(1, len(result.history) + 1)
    )


def test_params_inputs_tags_and_description(small: list[str], output_dir: Path) -> None:
    result = twotower.run(small)
    run = only_run(output_dir)
    params = run.data.params
    assert (params["tower"], params["emb_dim"], params["num_negatives"]) == ("embedding", "4", "4")
    assert not [name for name in params if name.startswith(("tracking", "_")) or "._" in name]
    assert not [value for value in params.values() if "twotower." in value]
    assert run.inputs is not None
    inputs = {entry.tags[0].value: entry.dataset for entry in run.inputs.dataset_inputs}
    assert set(inputs) == {"train", "validation", "test"}
    assert len({dataset.digest for dataset in inputs.values()}) == 3
    assert len(run.data.tags["split.digest"]) == 64
    assert run.data.tags["version.torch"] == torch.__version__
    description = run.data.tags["mlflow.note.content"]
    assert "chosen by val/ndcg_at_10" in description
    assert "**test judges 60 of 60 users: NDCG@10 " in description
    assert "a larger split.n " in description
    assert run.info.run_name == result.name
    experiment = store(output_dir).get_experiment(run.info.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_the_model_is_listed_with_its_metrics_and_data(small: list[str], output_dir: Path) -> None:
    result = twotower.run(small)
    run = only_run(output_dir)
    assert run.outputs is not None
    (output,) = run.outputs.model_outputs
    model = store(output_dir).get_logged_model(output.model_id)
    assert (model.status, model.source_run_id) == ("READY", run.info.run_id)
    assert model.metrics is not None
    (metric,) = [each for each in model.metrics if each.key == "test/ndcg_at_10"]
    assert metric.value == result.metrics["test/ndcg_at_10"]
    assert metric.dataset_name == "Synthetic-test"
    assert run.data.metrics["test/ndcg_at_10"] == metric.value
    assert model.params["emb_dim"] == "4"


def test_files_of_a_run(small: list[str], output_dir: Path) -> None:
    result = twotower.run(small)
    run = only_run(output_dir)
    logged = yaml.safe_load(fetch(output_dir, run, "config.yaml").read_text())
    assert logged == compose("train", small)
    lists = pl.read_parquet(fetch(output_dir, run, "recommendations.parquet"))
    assert lists.columns == ["user_id", "item_id", "rank", "score", "title"]
    assert lists.to_pandas().equals(result.recommendations)
    for part, prefix in (("validation", "val"), ("test", "test")):
        per_user = pl.read_parquet(fetch(output_dir, run, f"{part}/per_user.parquet"))
        assert per_user["ndcg_at_10"].mean() == pytest.approx(
            result.metrics[f"{prefix}/ndcg_at_10"]
        )
        relevant = pl.read_parquet(fetch(output_dir, run, f"{part}/relevant.parquet"))
        # Recall by user from the ranks: hits among the user's held-out pairs.
        recall = relevant.group_by("user_id").agg(pl.col("rank").is_not_null().mean())
        assert recall["rank"].mean() == pytest.approx(result.metrics[f"{prefix}/recall_at_10"])
    for plot in ("loss", "metrics", "recommendation_popularity", "embeddings"):
        png = fetch(output_dir, run, f"plots/{plot}.png").read_bytes()
        assert png.startswith(b"\x89PNG")
    saved = twotower.load(run.info.run_id, [f"output_dir={output_dir}"])
    again = saved.recommend([3, 1], k=4)
    assert again.equals(result.recommend(users=[3, 1], k=4))
    assert again["user_id"].tolist() == [3] * 4 + [1] * 4


def test_few_test_users_are_warned_about_with_splits_that_have_more(untracked: list[str]) -> None:
    split = [o for o in untracked if not o.startswith("split")]
    result = twotower.run([*split, "split=time"])
    judged = result.judged.measured.per_user.height
    (note,) = [note for note in result.notes if "judges" in note]
    assert note.startswith(f"test judges {judged} of 60 users: NDCG@10 0.")
    assert note.endswith("; split=last_n and split=ratio judge more users")


def test_an_early_stop_is_logged_with_its_keys(
    untracked: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    # A learning rate this small improves nothing: epoch 1 stays the best.
    still = ["optimizer.lr=1e-30", "trainer.patience=1", "trainer.patience_steps=0"]
    with caplog.at_level("INFO"):
        result = twotower.run([*untracked, *still])
        twotower.run([*untracked, *still, "trainer.patience=3"])
    (stop,) = [message for message in caplog.messages if message.startswith("training stopped")]
    assert stop == (
        "training stopped after epoch 2: no better val/ndcg_at_10 since epoch 1 "
        "(trainer.patience=1, trainer.patience_steps=0)"
    )
    assert any("the first that was validated" in note for note in result.notes)


def test_one_seed_and_config_give_the_same_numbers_to_the_last_digit(
    untracked: list[str],
) -> None:
    one, same = twotower.run(untracked).metrics, twotower.run(untracked).metrics
    assert one == same
    code = f"import twotower; print(twotower.run({untracked!r}).metrics)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{one}\n"
    assert twotower.run([*untracked, "seed=1"]).metrics != one


def test_a_short_training_beats_popularity_where_there_is_something_to_learn(
    untracked: list[str],
) -> None:
    result = twotower.run(
        [
            *untracked,
            "dataset.n_users=600",
            "dataset.n_items=200",
            "dataset.n_interactions=15000",
            "tower.emb_dim=16",
            "trainer.max_epochs=15",
            "optimizer.lr=0.01",
        ]
    )
    own, popularity = (result.metrics[f"{p}/ndcg_at_10"] for p in ("test", "baseline/popularity"))
    assert own > 1.1 * popularity
    assert result.below == []


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_runs(recipe: str, tmp_path: Path, untracked: list[str]) -> None:
    config = compose("train", [f"experiment={recipe}"])
    fewer = [
        f"negative_sampling.{key}=5"
        for key in config["negative_sampling"]
        if key == "num_negatives"
    ]
    data = [o for o in untracked if o.startswith("dataset")]
    if config["split"]["_target_"].endswith("GivenSplit"):
        data = given_split(data, tmp_path)
    result = twotower.run(
        [
            f"experiment={recipe}",
            *data,
            f"output_dir={tmp_path}",
            "tracking=none",
            "trainer.progress_bar=false",
            "trainer.max_epochs=1",
            "trainer.validate_every=1",
            "preprocessing=none",
            *fewer,
        ]
    )
    assert 0 <= result.metrics[f"test/{result.monitor}"] <= 1


def given_split(overrides: list[str], folder: Path) -> list[str]:
    """Synthetic interactions as two files; overrides for the recipes of such."""
    config = compose("train", overrides)
    log = build(config["dataset"]).load().log.select("user_id", "item_id")
    log.gather_every(2).write_parquet(folder / "train.parquet")
    log.gather_every(2, offset=1).write_parquet(folder / "test.parquet")
    return [
        f"dataset.path={folder}/train.parquet",
        f"dataset.test_path={folder}/test.parquet",
    ]


@pytest.mark.parametrize(
    ("override", "module", "error"),
    [
        (
            "embedding_plot=umap",
            "umap",
            r"embedding_plot: got 'umap', but umap is not installed; pip install 'twotower",
        ),
        (
            "preprocessing.engine=spark",
            "pyspark",
            r"preprocessing\.engine: got 'spark', but pyspark is not installed; pip install",
        ),
    ],
)
def test_an_extra_that_is_missing_is_named_before_data_is_read(
    override: str, module: str, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=error):
        compose("train", [override])


def test_the_map_of_embeddings_leaves_out_the_prior(
    small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def embedding_map(vectors: NDArray[np.float32], *arguments: object) -> Figure:
        drawn.append(vectors)
        return Figure()

    monkeypatch.setattr("twotower.reporting.embedding_map.embedding_map", embedding_map)
    result = twotower.run([*small, "tower/prior=popularity", "tower.emb_dim=4"])
    (vectors,) = drawn
    assert result.recommender.item_vectors().shape[1] == 4 + 1
    assert vectors.shape[1] == 4


def test_there_are_recipes() -> None:
    assert "notebook" in RECIPES


def test_the_notebook_recipe_is_the_notebook() -> None:
    config = compose("train", ["experiment=notebook"])
    assert config["tower"] | config["negative_sampling"] == {
        "_target_": "twotower.negative_sampling.uniform.UniformSampler",
        "_partial_": True,
        "emb_dim": 16,
        "init_std": 1.0,
        "similarity": "dot",
        "bias": False,
        "prior": {"_target_": "twotower.tower.prior.none.NoPrior"},
        "num_negatives": 10,
        "exclude_seen": False,
    }
    assert config["evaluation"]["drop_seen"] is False
    assert config["split"]["validation"] is False
    assert (config["trainer"]["max_epochs"], config["trainer"]["batch_size"]) == (30, 1024)
    assert config["optimizer"]["lr"] == 0.001


def test_a_refit_trains_on_everything_before_the_test(untracked: list[str]) -> None:
    refit = twotower.run(untracked)
    kept = twotower.run([*untracked, "trainer.refit=false"])
    assert refit.selected is not None
    assert refit.fitted.history.height == refit.selected.best_epoch
    assert kept.fitted is kept.selected
    assert refit.metrics["val/ndcg_at_10"] == kept.metrics["val/ndcg_at_10"]
    # Both know the same histories before the test, of the items that they know.
    seen = len(refit.recommender.histories.items)
    assert seen >= len(kept.recommender.histories.items) > len(kept.judged.fold.train)


def test_the_test_part_is_not_used_before_the_end(
    untracked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from twotower.evaluation import Evaluation

    folds = []
    measure = Evaluation.measure

    def spy(self, recommendations, fold):  # type: ignore[no-untyped-def]
        folds.append(fold)
        return measure(self, recommendations, fold)

    monkeypatch.setattr(Evaluation, "measure", spy)
    epochs = len(twotower.run(untracked).history)
    # Each epoch is judged on validation, and so are the kept one and the baseline; then model and
    # baseline on the test, once each.
    assert [fold is folds[0] for fold in folds] == [True] * (epochs + 2) + [False] * 2


def test_the_test_part_is_not_scored_with_never(untracked: list[str]) -> None:
    result = twotower.run([*untracked, "evaluation.test=never"])
    assert result.test is None
    assert result.fitted is result.selected
    assert {name.partition("/")[0] for name in result.metrics} == {"val", "val_baseline"}
    with pytest.raises(ConfigError, match=r"evaluation.test: got 'never', but split.validation"):
        compose(
            "train",
            [
                *untracked,
                "evaluation.test=never",
                "split.validation=false",
                "trainer.patience=null",
                "trainer.refit=false",
            ],
        )


def test_several_seeds_are_refused_in_a_single_run(untracked: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"seeds: got 3, .* must be 1 in a single run"):
        twotower.run([*untracked, "seeds=3"])


def test_a_failed_run_is_marked_failed_with_its_error(small: list[str], output_dir: Path) -> None:
    with pytest.raises(TrainingError, match="lower"):
        twotower.run([*small, "tower.init_std=1e38"])
    run = only_run(output_dir)
    assert run.info.status == "FAILED"
    assert run.data.tags["error"].startswith("TrainingError: the training loss is")


def test_too_few_items_are_refused(untracked: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"num_negatives: got 41, but .* has only 40 items"):
        twotower.run([*untracked, "negative_sampling.num_negatives=41"])


def test_bad_data_is_reported_and_the_run_is_marked_failed(
    small: list[str], output_dir: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log.csv"
    log.write_text("user_id,item_id,timestamp\n1,2,3\n,2,4\n")
    own = [o for o in small if not o.startswith("dataset")]
    with pytest.raises(DataError, match=r"log.csv.*user_id"):
        twotower.run([*own, "dataset=file", f"dataset.path={log}"])
    assert only_run(output_dir).info.status == "FAILED"


def test_prepared_splits_are_cached_in_the_output_dir(small: list[str], output_dir: Path) -> None:
    twotower.run(small)
    assert len(list((output_dir / "cache" / "splits").glob("*/meta.json"))) == 1


@pytest.fixture
def two_tastes(tmp_path: Path) -> list[str]:
    """40 users and 40 items: each user interacted with half of the items of one genre."""
    pairs = [(u, i) for u in range(40) for i in range(40) if (u - i) % 2 == 0 and (u + i) % 4 == 0]
    log = pl.DataFrame(pairs, ["user_id", "item_id"], orient="row")
    log.write_parquet(tmp_path / "log.parquet")
    genres = ["even" if item % 2 == 0 else "odd" for item in range(40)]
    items = pl.DataFrame({"item_id": range(40), "genre": genres})
    items.write_parquet(tmp_path / "items.parquet")
    return [
        "dataset=file",
        f"dataset.path={tmp_path}/log.parquet",
        f"dataset.items_path={tmp_path}/items.parquet",
        "dataset.columns.timestamp=null",
        "preprocessing=none",
        f"output_dir={tmp_path}/outputs",
        "tracking=none",
        "trainer.progress_bar=false",
        "trainer.max_epochs=20",
        "trainer.batch_size=32",
        "trainer.l2=0",
        "optimizer.lr=0.03",
    ]


def test_cold_items_are_found_by_their_features(two_tastes: list[str], tmp_path: Path) -> None:
    features = ["tower=pair", "tower.item.id=false", "tower.item.max_distinct=1"]
    result = twotower.run([*two_tastes, *features, "split=cold_item", "evaluation.k=4"])
    # By chance half of a list would be of the user's genre, and a fifth of that cold.
    assert result.metrics["test/hitrate_at_4"] > 0.5
    fold = result.judged.fold
    assert fold.items.n == 40
    recommended = result.judged.recommendations.items
    assert (recommended >= fold.train.n_items).any()
    ids = twotower.run([*two_tastes, "split=cold_item", "evaluation.k=4"])
    assert ids.metrics["test/hitrate_at_4"] == 0
    result.recommender.save(tmp_path / "model")
    lists = result.recommend([0, 1], k=4)
    loaded = Recommender.load(tmp_path / "model")
    assert loaded.recommend([0, 1], k=4).to_pandas().equals(lists)


def test_new_users_are_served_by_their_histories(two_tastes: list[str]) -> None:
    held_out = ["split=cold_user", "split.known=0.5", "evaluation.k=4"]
    result = twotower.run([*two_tastes, *held_out, "tower=history"])
    assert result.metrics["test/ndcg_at_4"] > 1.2 * result.metrics["baseline/popularity/ndcg_at_4"]
    assert (result.judged.fold.holdout.users >= result.judged.fold.train.n_users).all()
    ids = twotower.run([*two_tastes, *held_out])
    assert ids.metrics["test/ndcg_at_4"] == 0


def test_an_encoder_that_reads_an_order_needs_timestamps(two_tastes: list[str]) -> None:
    with pytest.raises(DataError, match="tower: the user tower reads histories in order of time"):
        twotower.run([*two_tastes, "split=random", "tower=history", "tower/encoder=gru"])


def test_a_prior_is_computed_from_what_each_fit_is_trained_on(
    untracked: list[str], tmp_path: Path
) -> None:
    result = twotower.run([*untracked, "tower/prior=popularity", "tower.prior.learned=true"])
    assert result.selected is not None
    selected, refit = result.selected.model.prior, result.fitted.model.prior
    assert selected is not None
    assert refit is not None
    histories = result.recommender.histories.items  # of train and validation
    logs = (torch.bincount(histories, minlength=len(refit.values)).double() + 1).log()
    expected = (logs - logs.mean()) / logs.std(correction=0)
    torch.testing.assert_close(refit.values, expected.float())
    assert not torch.equal(selected.values, refit.values)
    assert refit.weight.item() not in (1.0, selected.weight.item())  # both were trained
    result.recommender.save(tmp_path / "model")
    loaded = Recommender.load(tmp_path / "model")
    assert loaded.recommend(None, 5).equals(pl.from_pandas(result.recommender.recommend(None, 5)))


def test_a_prior_is_not_learned_by_a_loss_of_embeddings() -> None:
    with pytest.raises(ConfigError, match=r"tower\.prior\.learned: got True, but DirectAU"):
        build(
            compose(
                "train", ["tower/prior=popularity", "tower.prior.learned=true", "loss=direct_au"]
            )
        )
