"""One model, one set of lists: every way to them gives the same items and scores, bit for bit."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import polars as pl
import pytest
import requests
import torch

import twotower
from twotower.cli import main
from twotower.serving.export.indexes import FaissIndex, UsearchIndex
from twotower.serving.mlflow_model import save_mlflow_model

COLUMNS = ["user_id", "item_id", "rank", "score"]
_START_SECONDS = 120


@pytest.fixture(params=["embedding", "history"])
def result(request: pytest.FixtureRequest, small: list[str]) -> Any:
    return twotower.run([*small, f"tower={request.param}", "tower.emb_dim=8"])


def judged_lists(result: Any) -> pl.DataFrame:
    lists: pl.DataFrame = result.test.recommendation_lists
    return lists.select(COLUMNS)


def test_evaluation_recommend_pyfunc_and_batch_give_the_same_lists(
    result: Any, output_dir: Path, tmp_path: Path
) -> None:
    judged = judged_lists(result)
    users = judged["user_id"].unique(maintain_order=True)
    assert result.recommender.recommend(users)[COLUMNS].equals(judged)
    loaded = twotower.load(result.run_id, [f"output_dir={output_dir}"], library="polars")
    assert loaded.recommend(users)[COLUMNS].equals(judged)

    save_mlflow_model(result.recommender, tmp_path / "model")
    predict = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict
    whole = predict(users.to_frame().to_pandas())
    one_by_one = pd.concat([predict(pd.DataFrame({"user_id": [user]})) for user in users])
    for predicted in (whole, one_by_one):
        frame = pl.from_pandas(predicted[COLUMNS])
        assert frame.with_columns(pl.col("score").cast(pl.Float32)).equals(judged)

    asked = f"users={users.to_list()}"
    where = [f"output_dir={output_dir}", f"run={result.run_id}"]
    for block in (1000, 7):
        main(["recommend", *where, asked, f"block={block}", f"out={tmp_path}/lists.parquet"])
        assert pl.read_parquet(tmp_path / "lists.parquet").select(COLUMNS).equals(judged)


@pytest.mark.parametrize("distance", ["dot", "cosine"])
@pytest.mark.parametrize("kind", ["faiss", "usearch"])
def test_an_index_that_is_exact_finds_the_same_items(kind: str, distance: Any) -> None:
    pytest.importorskip(kind)
    generator = np.random.default_rng(0)
    # Lengths that differ a hundredfold, so that the two distances have different neighbours.
    drawn = generator.normal(size=(300, 8)) * generator.uniform(0.1, 10, size=(300, 1))
    items, users = drawn.astype(np.float32), generator.normal(size=(20, 8)).astype(np.float32)
    if kind == "faiss":
        index: Any = FaissIndex(items, distance, "Flat", None)
    else:
        index = UsearchIndex(items, distance, connectivity=64, expansion_search=300)
    scores = users @ items.T
    if distance == "cosine":
        lengths = np.linalg.norm(users, axis=1)[:, None] * np.linalg.norm(items, axis=1)
        scores = scores / lengths
    rows, found = index.search(users, 10)
    assert rows.tolist() == np.argsort(-scores, axis=1)[:, :10].tolist()
    assert found == pytest.approx(-np.sort(-scores, axis=1)[:, :10], rel=1e-4)


def test_faiss_builds_what_fits_the_number_of_items() -> None:
    faiss = pytest.importorskip("faiss")
    items = np.random.default_rng(0).normal(size=(10_001, 4)).astype(np.float32)
    exact = FaissIndex(items, "dot", "Flat", None).search(items[:50], 10)[0]
    many = FaissIndex(items, "dot", None, None)
    assert isinstance(many._index, faiss.IndexIVFFlat)
    assert (many._index.nlist, many._index.nprobe) == (100, 32)
    found = many.search(items[:50], 10)[0]
    assert np.mean([len(set(a) & set(b)) for a, b in zip(exact, found, strict=True)]) > 9
    assert isinstance(FaissIndex(items[:100], "dot", None, None)._index, faiss.IndexFlat)


def test_faiss_says_what_it_cannot_build() -> None:
    pytest.importorskip("faiss")
    with pytest.raises(twotower.ConfigError, match=r"faiss.factory: got 'Nonsense'"):
        FaissIndex(np.eye(3, dtype=np.float32), "dot", "Nonsense", None)


@contextmanager
def served(model: Path) -> Iterator[str]:
    """Yield the address of `mlflow models serve` on the model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model)]
    command += ["--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    setting = {"PATH": path, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    log = model.parent / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | setting,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and server.poll() is None:
            try:
                if requests.get(f"{address}/ping", timeout=5).ok:
                    break
            except requests.ConnectionError:
                time.sleep(0.2)
        else:
            raise AssertionError(log.read_text())
        yield address
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def movielens() -> list[str]:
    """Return overrides of MovieLens 100K where it is cached, else of random data of its size."""
    cache = Path(os.environ.get("TWOTOWER_CACHE_DIR", "~/.cache/twotower")).expanduser()
    if (cache / "datasets" / "ml-100k" / "meta.json").is_file():
        return []
    sizes = ("n_users=943", "n_items=1682", "n_interactions=100000")
    return ["dataset=synthetic", *(f"dataset.{size}" for size in sizes)]


@pytest.mark.slow
def test_movielens_has_one_set_of_lists_whichever_way_they_are_made(
    output_dir: Path, tmp_path: Path
) -> None:
    where = f"output_dir={output_dir}"
    quick = ["trainer.max_epochs=1", "trainer.progress_bar=false"]
    result: Any = twotower.run(["experiment=ml100k", *movielens(), *quick, where])
    judged = judged_lists(result)
    users = judged["user_id"].unique(maintain_order=True)

    loaded = twotower.load(result.run_id, [where], library="polars")
    assert loaded.recommend(users)[COLUMNS].equals(judged)

    mlflow.set_tracking_uri(f"sqlite:///{output_dir}/mlflow.db")
    try:
        model = mlflow.pyfunc.load_model(f"runs:/{result.run_id}/model")
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
    predicted = pl.from_pandas(model.predict(users.to_frame().to_pandas())[COLUMNS])
    assert predicted.equals(judged.cast(predicted.schema))

    file = tmp_path / "lists.parquet"
    asked = f"users={users.to_list()}"
    main(["recommend", f"run={result.run_id}", where, asked, "block=100", f"out={file}"])
    assert pl.read_parquet(file).select(COLUMNS).equals(judged)

    save_mlflow_model(result.recommender, tmp_path / "model")
    with served(tmp_path / "model") as address:
        assert posted(address, users.to_list(), k=10).equals(judged)
        first = judged.filter(pl.col("user_id").is_in(users[:5].implode()))
        alone = [posted(address, [user]) for user in users[:5]]
        assert pl.concat(alone).equals(first)

    pytest.importorskip("faiss")
    index = FaissIndex(loaded.item_vectors(), "dot", "Flat", None)
    rows, _ = index.search(loaded.user_vectors(users), len(loaded.item_vectors()))
    seen = loaded.histories.distinct()
    for user, ranked in zip(users, rows, strict=True):
        row = loaded.vocabulary.users.index_of(user)
        assert row is not None
        left_out = set(seen.select(torch.tensor([row])).items.tolist())
        kept = [place for place in ranked.tolist() if place not in left_out][:10]
        expected = judged.filter(pl.col("user_id") == user)["item_id"]
        assert loaded.vocabulary.items.gather(kept).to_list() == expected.to_list()


def posted(address: str, users: list[int], **params: Any) -> pl.DataFrame:
    """Return the lists of a server."""
    body = {"dataframe_split": {"columns": ["user_id"], "data": [[user] for user in users]}}
    answer = requests.post(f"{address}/invocations", json={**body, "params": params}, timeout=60)
    assert answer.ok, answer.text
    frame = pl.DataFrame(json.loads(answer.text)["predictions"]).select(COLUMNS)
    return frame.with_columns(pl.col("score").cast(pl.Float32))


@pytest.mark.slow
def test_http_gives_the_lists_of_new_histories_and_refuses_other_columns(
    small: list[str], tmp_path: Path
) -> None:
    result: Any = twotower.run([*small, "tower=history", "tower.emb_dim=8"])
    judged = judged_lists(result)
    users = judged["user_id"].unique(maintain_order=True).to_list()
    save_mlflow_model(result.recommender, tmp_path / "model")
    with served(tmp_path / "model") as address:
        assert posted(address, users, k=10).equals(judged)
        assert pl.concat([posted(address, [user]) for user in users[:9]]).equals(
            judged.filter(pl.col("user_id").is_in(users[:9]))
        )
        best = posted(address, users[:1])["item_id"].to_list()
        rest = posted(address, users[:1], k=2, exclude=best[:1])
        assert rest["item_id"].to_list() == best[1:3]
        visits: Any = {
            "columns": ["user_id", "item_id", "timestamp"],
            "data": [[900, 3, 1], [900, 7, 2]],
        }
        answer = requests.post(
            f"{address}/invocations", json={"dataframe_split": visits}, timeout=60
        )
        lists = answer.json()["predictions"]
        frame = pl.DataFrame(visits["data"], schema=visits["columns"], orient="row")
        expected = result.recommender.recommend_from(frame)
        assert [row["item_id"] for row in lists] == expected["item_id"].to_list()
        bad = requests.post(f"{address}/invocations", json={"inputs": {"who": [1]}}, timeout=60)
        assert bad.status_code == 400
