"""A model in the formats of other tools: the same vectors, with the original ids."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from twotower import config as conf
from twotower.cli import main
from twotower.core.errors import ConfigError
from twotower.model import TwoTower
from twotower.serving.export.exported import Exported
from twotower.serving.export.onnx import write_onnx
from twotower.serving.export.vectors import (
    write_numpy,
    write_parquet,
    write_projector,
    write_torch,
)
from twotower.serving.recommender import Recommender
from twotower.types import Histories, Side, TrainInteractions, Vocabulary

FEATURES = pl.DataFrame(
    {"title": [f"A\tlong  title {n}" for n in range(6)], "price": [1.0, 2, 3, None, 5, 6]}
)


def made(*overrides: str) -> Exported:
    """Six items, the last of which is cold, and four users with histories."""
    node = conf.compose("train", [*overrides, "tower.emb_dim=4"])["tower"]
    users, items = Side("user", 4, 4, None), Side("item", 6, 5, FEATURES)
    seen, of_users = torch.tensor([0, 1, 2, 4, 3, 0]), torch.tensor([0, 0, 1, 2, 2, 2])
    train = TrainInteractions(of_users, seen, 4, 5)
    model = TwoTower.build(conf.build(node), users=users, items=items, seed=0, train=train)
    vocabulary = Vocabulary(
        pl.Series("user_id", ["u1", "u2", "u3", "u4"]), pl.Series("item_id", [7, 5, 3, 1, 9, 11])
    )
    histories = Histories.of(of_users, seen, 4, timed=True)
    return Exported(Recommender(model.eval(), node, vocabulary, histories, users, items))


@pytest.fixture(scope="module")
def embedding() -> Exported:
    return made("tower=embedding")


def test_parquet_and_numpy_hold_vectors_by_id(embedding: Exported, tmp_path: Path) -> None:
    write_parquet(embedding, tmp_path)
    items = pl.read_parquet(tmp_path / "items.parquet")
    assert items["item_id"].to_list() == [7, 5, 3, 1, 9]  # not the cold one, which has no vector
    assert np.array(items["vector"].to_list(), np.float32).tolist() == (
        embedding.recommender.item_vectors([7, 5, 3, 1, 9]).tolist()
    )
    write_numpy(embedding, tmp_path)
    ids = np.load(tmp_path / "user_ids.npy", allow_pickle=False)
    assert ids.tolist() == ["u1", "u2", "u3", "u4"]
    scores = np.load(tmp_path / "user_vectors.npy") @ np.load(tmp_path / "item_vectors.npy").T
    lists = embedding.recommender.recommend("u2", k=5, drop_seen=False)
    best = [7, 5, 3, 1, 9][int(scores[1].argmax())]
    assert lists["item_id"][0] == best
    assert lists["score"][0] == pytest.approx(scores[1].max())


def test_torch_is_loaded_as_weights_alone(embedding: Exported, tmp_path: Path) -> None:
    write_torch(embedding, tmp_path)
    vectors = torch.load(tmp_path / "vectors.pt", weights_only=True)
    assert {name: tuple(each.shape) for name, each in vectors.items()} == {
        "users": (4, 4),
        "items": (5, 4),
    }
    assert pl.read_parquet(tmp_path / "items.parquet")["item_id"].to_list() == [7, 5, 3, 1, 9]


def test_the_projector_has_a_line_of_metadata_per_vector(
    embedding: Exported, tmp_path: Path
) -> None:
    write_projector(embedding, tmp_path)
    metadata = (tmp_path / "items_metadata.tsv").read_text().splitlines()
    assert metadata[:2] == ["item_id\ttitle\tprice", "7\tA long title 0\t1.0"]
    assert len(metadata) == 1 + len((tmp_path / "items.tsv").read_text().splitlines())
    assert (tmp_path / "users_metadata.tsv").read_text().splitlines() == ["u1", "u2", "u3", "u4"]
    assert (
        'metadata_path: "items_metadata.tsv"' in (tmp_path / "projector_config.pbtxt").read_text()
    )


TOWERS = {
    "embedding": ["tower=embedding"],
    "cosine": ["tower=embedding", "tower.similarity=cosine"],
    "features": ["tower=features", "tower.hidden=[8]"],
    "mean": ["tower=history", "tower.history_length=3"],
    "attention": ["tower=history", "tower/encoder=attention", "tower.history_length=3"],
    "gru": ["tower=history", "tower/encoder=gru", "tower.history_length=3"],
    "sasrec": ["tower=history", "tower/encoder=sasrec", "tower.history_length=3"],
    "prior": ["tower=embedding", "tower/prior=popularity"],
    "history_prior": ["tower=history", "tower/prior=popularity", "tower.history_length=3"],
    "pair": ["tower=pair", "tower@tower.user=history", "tower@tower.item=features"],
}


@pytest.mark.parametrize("tower", TOWERS)
def test_onnx_gives_the_vectors_of_both_towers(tower: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    model = made(*TOWERS[tower])
    write_onnx(model, tmp_path)

    def run(name: str, **given: Any) -> Any:
        session = runtime.InferenceSession(tmp_path / f"{name}_tower.onnx")
        return session.run(["vectors"], given)[0]

    items = model.items.vectors
    for rows in (np.array([3]), np.arange(len(items))):  # batches of any size
        assert run("item", rows=rows) == pytest.approx(items[rows], abs=1e-5)
    length = model.recommender.model.history_length
    if length is None:
        users = run("user", rows=np.arange(4))
    else:
        past = model.recommender.histories.below(5).latest(torch.arange(4), length)
        users = run("user", items=past.items.long().numpy(), valid=past.valid.numpy())
    assert users == pytest.approx(model.users.vectors, abs=1e-5)


def test_the_command_writes_a_folder_and_replaces_only_exports(
    small: list[str], output_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["train", *small, "trainer.max_epochs=1"])
    where = [f"output_dir={output_dir}", f"out={tmp_path}/export"]
    for format_ in ("parquet", "numpy"):
        main(["export", *where, f"format={format_}"])
    assert sorted(path.name for path in (tmp_path / "export").iterdir()) == [
        *("item_ids.npy", "item_vectors.npy", "twotower.txt"),
        *("user_ids.npy", "user_vectors.npy"),
    ]
    (tmp_path / "mine").mkdir()
    for wrong, message in (
        ([f"out={tmp_path}/mine"], "is no earlier export; must be a new folder"),
        (["format=excel"], "format: got 'excel'"),
    ):
        with pytest.raises(SystemExit, match=message):
            main(["export", *where, *wrong])
    capsys.readouterr()
    for library in ("faiss", "usearch"):
        pytest.importorskip(library)
        main(["export", *where, f"format={library}"])
        assert f"items.{library}" in capsys.readouterr().out.replace("\n", "")
    main(["similar", where[0], "items=[3,7]", "k=2", f"out={tmp_path}/near.jsonl"])
    near = pl.read_ndjson(tmp_path / "near.jsonl")
    assert near["item_id"].to_list() == [3, 3, 7, 7]
    with pytest.raises(SystemExit, match="items, users: got neither; must be one of them"):
        main(["similar", where[0]])


def test_a_missing_library_names_its_extra(
    embedding: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"onnx is not installed; pip install 'twotower\[onnx\]'"):
        write_onnx(embedding, tmp_path)
