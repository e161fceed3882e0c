"""A stored model may come from anyone who can write to the store: it must not run its own code."""

from __future__ import annotations

import json
import pickle
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import twotower
from twotower.config import build, compose
from twotower.core.checksums import write_checksums
from twotower.core.errors import ConfigError, DataError, TwoTowerError
from twotower.model import TwoTower
from twotower.serving.recommender import Recommender
from twotower.types import Histories, Side, Vocabulary

TOWER = {
    "_target_": "twotower.tower.embedding.EmbeddingTower",
    "_partial_": True,
    "emb_dim": 2,
    "init_std": 0.1,
    "similarity": "dot",
    "bias": False,
}
HISTORY = {
    "_target_": "twotower.tower.history.tower_of_side",
    "_partial_": True,
    "emb_dim": 2,
    "init_std": 0.1,
    "similarity": "dot",
    "history_length": 2,
}

PAIR = ["tower=pair", "tower.emb_dim=2", "tower@tower.item=features"]
PLUGIN = """
from pathlib import Path
from torch import nn
from twotower.tower.embedding import EmbeddingTower
Path("{marker}").touch()

class MyTower(EmbeddingTower):
    pass
"""


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    users, items = Side("user", 3, 3, None), Side("item", 4, 4, None)
    recommender = Recommender(
        model=TwoTower.build(build(TOWER), users=users, items=items, seed=0),
        tower=TOWER,
        vocabulary=Vocabulary(pl.Series([5, 7, 9]), pl.Series([1, 2, 3, 4])),
        histories=Histories.of(torch.tensor([0]), torch.tensor([0]), 3, True),
        users=users,
        items=items,
    )
    recommender.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that is there once the code of an attack was run."""
    return tmp_path / "attacked"


def change(saved: Path, **changes: Any) -> None:
    """Of the keys of the tower's node, and its special ones such as `_target_`."""
    node = {**TOWER, **changes}
    (saved / "tower.yaml").write_text(yaml.safe_dump(node))
    write_checksums(saved)  # as an attacker would


def refused(saved: Path, **changes: Any) -> str:
    change(saved, **changes)
    with pytest.raises(TwoTowerError) as caught:
        Recommender.load(saved)
    return str(caught.value)


def attacks(marker: Path) -> list[dict[str, Any]]:
    touch = ["touch", str(marker)]
    return [
        {"_target_": "distutils.spawn.spawn", "cmd": touch},
        {"_target_": "mlflow.utils.process._exec_cmd", "cmd": touch},
        {"_target_": "subprocess.Popen", "args": touch},
        {"_target_": "subprocess.check_output", "_args_": [touch]},
        {"_target_": "twotower.tracking.ui.subprocess.Popen", "args": touch},
        {"_target_": "twotower.config.check.json.loads", "s": "1"},
        {"_target_": "twotower.serving.files.torch.hub.load", "repo_or_dir": str(marker)},
        {"_target_": "twotower.serving.files.Path.touch", "self": str(marker)},
        {"_target_": "twotower.core.files.write_json", "path": str(marker), "value": 1},
        {"_target_": "twotower.cli.main", "argv": ["train", f"output_dir={marker}"]},
        {"_target_": "torch.hub.load", "repo_or_dir": str(marker), "model": "x"},
        {"_target_": "torch.nn.modules.module.torch.hub.load", "repo_or_dir": str(marker)},
        {"_target_": "pandas.read_pickle", "filepath_or_buffer": str(marker)},
        {"_target_": "pathlib.Path.touch", "self": str(marker)},
        {"_target_": "os.system", "command": " ".join(touch)},
        {"_target_": "builtins.exec", "_args_": [f"open({str(marker)!r}, 'w')"]},
        {"_target_": "hydra.utils.instantiate", "config": {"_target_": "os.getcwd"}},
        {"_target_": "functools.partial", "_args_": ["touch"]},
        {"_target_": "twotower.serving.recommender.SentenceText", "model": str(marker)},
    ]


@pytest.mark.parametrize("place", range(19))
@pytest.mark.parametrize("nested", ["next", "value", "list", "deep", "root", "encoder"])
def test_no_node_names_code_from_elsewhere(
    saved: Path, marker: Path, place: int, nested: str
) -> None:
    attack = attacks(marker)[place]
    changes: dict[str, dict[str, Any]] = {
        "next": {"zz": attack},
        "value": {"emb_dim": attack},
        "list": {"init_std": [0.1, attack]},
        "deep": {"zz": {"a": [{"b": attack}]}},
        "root": {**attack, "_partial_": True},
        "encoder": {**HISTORY, "encoder": {**attack, "_partial_": True}},
    }
    message = refused(saved, **changes[nested])
    assert not marker.exists()
    assert "tower" in message


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("twotower.loss.bce.BinaryCrossEntropy", "without the method"),
        ("twotower.run", "must be a twotower.tower.base.Tower (with"),
        ("torch.nn.Linear", "without the method"),
        ("torch.nn.init.normal_", "must be a twotower.tower.base.Tower"),
        ("twotower.tower", "a stored config may only name classes and functions of twotower"),
        ("twotower.nothing.Tower", "No module named 'twotower.nothing'"),
        ("twotower", "may only name"),
        ("torch.nn.", "may only name"),
        ("twotowerx.Tower", "may only name"),
        (None, "may only name"),
        (["twotower.tower.embedding.EmbeddingTower"], "may only name"),
    ],
)
def test_an_allowed_target_must_be_a_tower(saved: Path, target: Any, expected: str) -> None:
    text = refused(saved, _target_=target)
    assert text.startswith("the config has 1 error; no data was read\n  tower._target_: got ")
    assert expected in text


@pytest.mark.parametrize(
    "changes",
    [
        {"_args_": [1]},
        {"_recursive_": False},
        {"_convert_": "all"},
        {"_partial_": "yes"},
        {"_partial_": False},
        {"emb_dim": "${oc.env:HOME}"},
        {"similarity": "${oc.env:KIND,dot}"},
    ],
)
def test_hydras_special_keys_and_interpolations_mean_nothing(
    saved: Path, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "1")
    assert f"tower.{next(iter(changes))}" in refused(saved, **changes) or "_partial_" in changes


def test_a_user_package_is_imported_only_if_it_is_allowed(
    saved: Path, marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_towers.py").write_text(PLUGIN.format(marker=marker))
    monkeypatch.syspath_prepend(tmp_path)
    message = refused(saved, _target_="own_towers.MyTower")
    assert "allow_targets=[package] adds one that you trust" in message
    assert not marker.exists()
    assert "own_towers" not in sys.modules
    loaded = Recommender.load(saved, allow_targets=["own_towers"])
    assert marker.exists()
    assert type(loaded.model.item_tower).__name__ == "MyTower"
    change(saved, _target_="own_towers.Path")  # what the package itself imports
    with pytest.raises(ConfigError, match="may only name"):
        Recommender.load(saved, allow_targets=["own_towers"])
    monkeypatch.delitem(sys.modules, "own_towers")


@pytest.mark.parametrize("name", ["", "*", "a.*", ".", "a..b"])
def test_allow_targets_are_names_of_packages(saved: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"allow_targets: got .*; must be the name of a package"):
        Recommender.load(saved, allow_targets=[name])


@pytest.mark.parametrize("file", ["tower.yaml", "rows.yaml"])
@pytest.mark.parametrize(
    "content",
    ["!!python/object/apply:os.system ['touch {marker}']", "[1", "text", "", "of_train: 3", "\xff"],
)
def test_files_hold_plain_values_alone(saved: Path, marker: Path, file: str, content: str) -> None:
    (saved / file).write_bytes(content.format(marker=marker).encode("latin-1"))
    write_checksums(saved)
    with pytest.raises((DataError, ConfigError)):
        Recommender.load(saved)
    assert not marker.exists()


class _Attack:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return (Path.touch, (self.marker,))


def test_weights_hold_tensors_alone(saved: Path, marker: Path) -> None:
    torch.save({"user_tower.weight": _Attack(marker)}, saved / "weights.safetensors")
    write_checksums(saved)
    with pytest.raises(DataError, match=r"weights\.safetensors does not hold the weights of a mod"):
        Recommender.load(saved)
    assert not marker.exists()


def header(length: int, **tensors: Any) -> bytes:
    """Return a safetensors file that announces a header of `length` bytes; 0: its true length."""
    text = json.dumps(tensors).encode()
    return (length or len(text)).to_bytes(8, "little") + text + b"12345678"


def tensor(shape: list[int], offsets: list[int]) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    "content",
    [
        header(2**63),
        header(99_000_000),
        header(0, a=tensor([2**40, 2**40], [0, 8])),
        header(0, a=tensor([2], [0, 2**60])),
        header(0, a=tensor([2], [-8, 0])),
        header(0, a=tensor([1], [0, 4]), b=tensor([1], [0, 4])),  # overlapping
        header(0, a=tensor([2], [0, 8]) | {"dtype": "OBJECT"}),
        header(0, a=tensor([2], [0, 8]))[:-4],
    ],
)
def test_headers_that_lie_about_sizes_allocate_nothing(saved: Path, content: bytes) -> None:
    (saved / "weights.safetensors").write_bytes(content)
    write_checksums(saved)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"weights\.safetensors does not hold the weights of a mod"):
        Recommender.load(saved)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
)


@pytest.mark.parametrize(
    "text", [LAUGHS, "zz: &a {b: *a}\n", "zz: " + "[" * 60 + "]" * 60, "zz: " + "[" * 5000]
)
def test_yaml_that_grows_without_end_is_refused(saved: Path, text: str) -> None:
    with (saved / "tower.yaml").open("a") as file:
        file.write(text)
    write_checksums(saved)
    with pytest.raises(DataError, match=r"tower\.yaml (must have at most|cannot be read)"):
        Recommender.load(saved)


@pytest.mark.parametrize("emb_dim", [10**15, 2**62])
def test_sizes_beyond_memory_are_refused(saved: Path, emb_dim: int) -> None:
    assert "tower.yaml: the model cannot be built: " in refused(saved, emb_dim=emb_dim)


def test_links_out_of_the_folder_are_not_followed(saved: Path, tmp_path: Path) -> None:
    (saved / "users.parquet").rename(tmp_path / "secret.parquet")
    (saved / "users.parquet").symlink_to(tmp_path / "secret.parquet")
    with pytest.raises(DataError, match=r"users\.parquet is a link out of the model's folder"):
        Recommender.load(saved)
    (tmp_path / "link").symlink_to(saved)  # of the whole folder, by whoever loads it
    (saved / "users.parquet").unlink()
    (tmp_path / "secret.parquet").rename(saved / "users.parquet")
    assert Recommender.load(tmp_path / "link").users.n == 3


def test_what_mlflow_writes_around_a_model_is_not_read(saved: Path, marker: Path) -> None:
    around = saved.parent / "mlflow"
    (around / "artifacts").mkdir(parents=True)
    saved.rename(around / "artifacts" / "model")
    code = f"from pathlib import Path\nPath({str(marker)!r}).touch()\n"
    flavor = {
        "loader_module": "attack",
        "code": "code",
        "python_model": "python_model.pkl",
        "model_code_path": "mlflow_code.py",
        "artifacts": {"model": {"path": "../../elsewhere", "uri": "https://example.org/x"}},
    }
    (around / "MLmodel").write_text(yaml.safe_dump({"flavors": {"python_function": flavor}}))
    (around / "code").mkdir()
    for file in ("code/attack.py", "code/__init__.py", "mlflow_code.py", "sitecustomize.py"):
        (around / file).write_text(code)
    (around / "python_model.pkl").write_bytes(pickle.dumps(_Attack(marker)))
    (around / "requirements.txt").write_text("--index-url https://example.org\nattack\n")
    (around / "weights.pt").write_bytes(pickle.dumps(_Attack(marker)))
    assert Recommender.load(around).users.n == 3
    assert twotower.load(around).users.n == 3
    assert not marker.exists()
    assert "attack" not in sys.modules


FILES = ("weights.safetensors", "tower.yaml", "rows.yaml", "users.parquet", "items.parquet")


@pytest.mark.parametrize("file", [*FILES, "history.parquet"])
def test_a_damaged_or_missing_file_is_named(saved: Path, file: str) -> None:
    content = bytearray((saved / file).read_bytes())
    content[len(content) // 2] ^= 1
    (saved / file).write_bytes(content)
    with pytest.raises(DataError, match=f"{file} does not match its checksum in checksums.json"):
        Recommender.load(saved)
    (saved / file).unlink()
    with pytest.raises(DataError, match=f"holds no complete model: {file} not found"):
        Recommender.load(saved)


@pytest.mark.parametrize("content", ["[]", "", '{"../secret": "x"}', '{"gone": "x"}'])
def test_a_list_of_checksums_names_files_of_the_folder_alone(saved: Path, content: str) -> None:
    (saved / "checksums.json").write_text(content)
    with pytest.raises(DataError, match=r"holds no list of files|is missing"):
        Recommender.load(saved)


def frame(file: str, **columns: Any) -> tuple[str, pl.DataFrame]:
    return file, pl.DataFrame(columns)


@pytest.mark.parametrize(
    ("file", "table", "expected"),
    [
        (*frame("items.parquet", item_id=[1, 2]), "has 2 rows, of which 4 must be of train"),
        (*frame("items.parquet", item_id=[1, 2, 2, 4]), "item_id must be integers or text, each"),
        (*frame("items.parquet", item_id=[1, 2, None, 4]), "item_id must be integers or text"),
        (*frame("items.parquet", item_id=[1.0, 2.0, 3.0, 4.5]), "item_id must be integers or text"),
        (*frame("users.parquet", item_id=[5, 7, 9]), "expected 'user_id' as the first column"),
        (*frame("users.parquet", user_id=[5, 7, 9, 11]), None),  # one more, cold
        (*frame("history.parquet", user_row=[0], item_row=[4]), "item_row must be from 0 to 3"),
        (*frame("history.parquet", user_row=[-1], item_row=[0]), "user_row must be from 0 to 2"),
        (*frame("history.parquet", user_row=[0.5], item_row=[0]), "user_row must be a column of"),
        (*frame("history.parquet", user_row=[0]), "item_row must be a column of integers"),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused(
    saved: Path, file: str, table: pl.DataFrame, expected: str | None
) -> None:
    table.write_parquet(saved / file)
    write_checksums(saved)
    if expected is None:
        assert Recommender.load(saved).users.n == 4
        return
    with pytest.raises(DataError, match=expected) as caught:
        Recommender.load(saved)
    assert str(saved / file) in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_are_finite_and_of_the_shape_of_the_tower(saved: Path, value: float) -> None:
    file = saved / "weights.safetensors"
    weights = load_file(file)
    save_file(weights | {"item_tower.weight": torch.full((4, 2), value)}, file)
    write_checksums(saved)
    with pytest.raises(DataError, match=r"item_tower\.weight has values that are not finite"):
        Recommender.load(saved)
    save_file(weights | {"item_tower.weight": torch.zeros(5, 2)}, file)
    write_checksums(saved)
    with pytest.raises(DataError, match=r"does not hold the weights of this model: .*size mismatc"):
        Recommender.load(saved)


def test_saving_replaces_a_model_and_nothing_else(saved: Path) -> None:
    recommender = Recommender.load(saved)
    recommender.save(saved)
    assert [path.name for path in saved.parent.iterdir()] == ["model"]  # no scratch folder
    (saved / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"holds 'notes.txt', which is no file of a model"):
        recommender.save(saved)
    assert (saved / "notes.txt").read_text() == "mine"


def test_texts_are_loaded_with_the_vectors_that_were_saved_and_no_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Encoder:
        def __init__(self, model: str) -> None:
            assert model == "tiny"

        def encode(self, texts: list[str], **_: Any) -> Any:
            return torch.tensor([[float(len(text)), 1.0, 2.0] for text in texts]).numpy()

    library = SimpleNamespace(SentenceTransformer=Encoder)
    monkeypatch.setitem(sys.modules, "sentence_transformers", library)
    sentence = "twotower.tower.text.sentence.SentenceText"
    text = {"_target_": sentence, "_partial_": True, "model": "tiny", "batch_size": 2}
    features = compose("train", ["tower=features", "tower.emb_dim=2"])["tower"] | {"text": text}
    titles = pl.DataFrame({"title": ["a", "bb", "ccc", None]})
    users, items = Side("user", 3, 3, None), Side("item", 4, 4, titles)
    for tower in (features, compose("train", PAIR)["tower"]):
        if "item" in tower:
            tower["item"]["text"] = text
        recommender = Recommender(
            model=TwoTower.build(build(tower), users=users, items=items, seed=0),
            tower=tower,
            vocabulary=Vocabulary(pl.Series([5, 7, 9]), pl.Series([1, 2, 3, 4])),
            histories=Histories.of(torch.tensor([0]), torch.tensor([0]), 3, True),
            users=users,
            items=items,
        )
        recommender.save(tmp_path / "model")
        monkeypatch.setitem(sys.modules, "sentence_transformers", None)
        loaded = Recommender.load(tmp_path / "model")
        assert loaded.recommend(None, 4).equals(recommender.recommend(None, 4))
        monkeypatch.setitem(sys.modules, "sentence_transformers", library)
