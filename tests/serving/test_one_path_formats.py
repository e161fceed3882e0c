"""The vectors of every export rank as the model does, with a prior and without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray

from twotower import config as conf
from twotower.model import TwoTower
from twotower.serving.export.exported import Exported
from twotower.serving.export.indexes import FaissIndex, UsearchIndex, write_index
from twotower.serving.export.onnx import write_onnx
from twotower.serving.export.vectors import (
    write_numpy,
    write_parquet,
    write_projector,
    write_torch,
)
from twotower.serving.recommender import Recommender
from twotower.types import Histories, Side, TrainInteractions, Vocabulary

USERS, ITEMS = 6, 30
TOWERS = {
    "plain": ["tower=embedding"],
    "prior": ["tower=embedding", "tower/prior=popularity"],
    "cosine_prior": ["tower=embedding", "tower.similarity=cosine", "tower/prior=popularity"],
    "history_prior": ["tower=history", "tower/prior=popularity", "tower.history_length=3"],
}
Pair = tuple[NDArray[Any], NDArray[Any]]


@pytest.fixture(scope="module", params=TOWERS)
def model(request: pytest.FixtureRequest) -> Exported:
    node = conf.compose("train", [*TOWERS[request.param], "tower.emb_dim=4"])["tower"]
    node["init_std"] = 0.5
    generator = torch.Generator().manual_seed(3)
    of_users = torch.arange(USERS).repeat_interleave(5)
    seen = torch.randint(ITEMS, (USERS * 5,), generator=generator)
    users, items = Side("user", USERS, USERS, None), Side("item", ITEMS, ITEMS, None)
    train = TrainInteractions(of_users, seen, USERS, ITEMS)
    built = TwoTower.build(conf.build(node), users=users, items=items, seed=0, train=train)
    ids = Vocabulary(
        pl.Series("user_id", [f"u{row}" for row in range(USERS)]),
        pl.Series("item_id", [100 - row for row in range(ITEMS)]),
    )
    histories = Histories.of(of_users, seen, USERS, timed=True)
    return Exported(Recommender(built.eval(), node, ids, histories, users, items))


def from_parquet(model: Exported, folder: Path) -> Pair:
    write_parquet(model, folder)
    users, items = (pl.read_parquet(folder / f"{name}.parquet") for name in ("users", "items"))
    assert users["user_id"].equals(model.users.ids)
    assert items["item_id"].equals(model.items.ids)
    return np.array(users["vector"].to_list()), np.array(items["vector"].to_list())


def from_numpy(model: Exported, folder: Path) -> Pair:
    write_numpy(model, folder)
    assert np.load(folder / "item_ids.npy").tolist() == model.items.ids.to_list()
    return np.load(folder / "user_vectors.npy"), np.load(folder / "item_vectors.npy")


def from_torch(model: Exported, folder: Path) -> Pair:
    write_torch(model, folder)
    vectors = torch.load(folder / "vectors.pt", weights_only=True)
    return vectors["users"].numpy(), vectors["items"].numpy()


def from_projector(model: Exported, folder: Path) -> Pair:
    write_projector(model, folder)
    return np.loadtxt(folder / "users.tsv"), np.loadtxt(folder / "items.tsv")


def from_onnx(model: Exported, folder: Path) -> Pair:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    write_onnx(model, folder)

    def run(name: str, **given: Any) -> Any:
        return runtime.InferenceSession(folder / f"{name}_tower.onnx").run(["vectors"], given)[0]

    items, length = run("item", rows=np.arange(ITEMS)), model.recommender.model.history_length
    if length is None:
        return run("user", rows=np.arange(USERS)), items
    past = model.recommender.histories.latest(torch.arange(USERS), length)
    return run("user", items=past.items.long().numpy(), valid=past.valid.numpy()), items


VECTORS = {
    "parquet": from_parquet,
    "numpy": from_numpy,
    "torch": from_torch,
    "projector": from_projector,
    "onnx": from_onnx,
}


def expected(model: Exported) -> tuple[list[list[int]], list[list[float]]]:
    """Return the items and scores of the model's own lists, seen items included."""
    lists = model.recommender.recommend(k=ITEMS, drop_seen=False)
    of_users = lists.group_by("user_id", maintain_order=True).agg("item_id", "score")
    return of_users["item_id"].to_list(), of_users["score"].to_list()


@pytest.mark.parametrize("kind", VECTORS)
def test_exported_vectors_rank_as_the_model_does(
    model: Exported, kind: str, tmp_path: Path
) -> None:
    users, items = VECTORS[kind](model, tmp_path)
    ids, scores = expected(model)
    found = users @ items.T
    order = np.argsort(-found, axis=1)
    assert np.array(model.items.ids.to_list())[order].tolist() == ids
    assert np.take_along_axis(found, order, 1) == pytest.approx(np.array(scores), abs=1e-5)


@pytest.mark.parametrize("kind", ["faiss", "usearch"])
def test_exact_indexes_rank_as_the_model_does(model: Exported, kind: str, tmp_path: Path) -> None:
    library = pytest.importorskip(kind if kind == "faiss" else "usearch.index")
    vectors, file = model.items.vectors, tmp_path / f"items.{kind}"
    index: Any = (
        FaissIndex(vectors, "dot", "Flat", None)
        if kind == "faiss"
        else UsearchIndex(vectors, "dot", connectivity=32, expansion_search=128)
    )
    write_index(model, index, file)
    users, ids = np.load(tmp_path / "user_vectors.npy"), pl.read_parquet(tmp_path / "items.parquet")
    rows, _ = index.search(users, ITEMS)
    assert ids["item_id"].to_numpy()[rows].tolist() == expected(model)[0]
    if kind == "faiss":  # as another program reads the file
        _, read = library.read_index(str(file)).search(users, ITEMS)
        assert np.array_equal(read, rows)


def test_a_prior_changes_the_lists_of_users_and_not_which_items_are_alike(model: Exported) -> None:
    recommender = model.recommender
    vectors = recommender.item_vectors()
    if recommender.model.prior is not None:
        assert vectors.shape[1] == 5  # the prior of each item is the last number
        vectors = vectors[:, :-1]
    for by in ("cosine", "dot"):
        table = vectors
        if by == "cosine":
            table = table / np.linalg.norm(table, axis=1, keepdims=True)
        scores = table @ table[3]
        scores[3] = -np.inf
        alike = recommender.similar_items([97], k=5, by=by)
        best = np.argsort(-scores)[:5]
        assert alike["similar_id"].to_list() == (100 - best).tolist()
        assert alike["score"].to_numpy() == pytest.approx(scores[best], abs=1e-5)
