"""What a target gives must be of the kind that its key asks for; nothing is called to find out."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml

from twotower.config import Contract, build, check, check_hydra, compose
from twotower.core.errors import ConfigError
from twotower.sweeping.sweep_settings import SweepSettings

OWN = """
from dataclasses import dataclass
from pathlib import Path
import torch
from torch import Tensor, nn
from twotower.core.component import rule
from twotower.loss import Loss
from twotower.negative_sampling import UniformSampler
from twotower.tower import EmbeddingTower
from twotower.types import Scores


class Sampler(UniformSampler):
    pass


class PlainLoss:
    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, scores):
        return scores.positive.sum() * self.weight


def loss(weight: float) -> PlainLoss:
    return PlainLoss(weight)


def untyped(weight):
    Path("called").touch()
    return PlainLoss(weight)


def other(weight: float) -> Path:
    Path("called").touch()
    return Path()


def tower(*, side, generator) -> EmbeddingTower:
    return EmbeddingTower(2, 0.1, "dot", False, side=side, generator=generator)


class WrongLoss:
    def __init__(self) -> None:
        Path("called").touch()

    def __call__(self, users: int, items: int) -> Tensor: ...


class Sneaky(PlainLoss):
    def __init__(self) -> None:
        super().__init__(1.0)

    @staticmethod
    @rule
    def own_rule():
        Path("called").touch()
        return []


class Adam(torch.optim.Adam):
    pass
"""


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_parts.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)


EVERYWHERE = [
    *("dataset", "preprocessing", "split", "negative_sampling", "tower", "loss", "optimizer"),
    *("trainer", "evaluation", "comparison", "tracking"),
]
TOUCH = {
    "spawn": "{_target_: distutils.spawn.spawn, cmd: [touch, called]}",
    "system": "{_target_: os.system, command: touch called}",
    "popen": "{_target_: subprocess.Popen, args: [touch, called]}",
    "touch": "{_target_: pathlib.Path.touch, self: called}",
    "reexport": "{_target_: twotower.tracking.ui.subprocess.Popen, args: [touch, called]}",
    "own": "{_target_: own_parts.untyped, weight: 1}",
}


@cache
def default() -> dict[str, Any]:
    return compose("train", [])


def refused(path: str, changes: Mapping[str, Any]) -> str:
    """Return the error for the default config with `changes` at `path`."""
    config = deepcopy(default())
    node = config
    *above, last = path.split(".")
    for key in above:
        node = node.setdefault(key, {})
    node[last] = changes[""] if "" in changes else {**node[last], **changes}
    kind = Annotated[Any, Contract("twotower.running.experiment.Experiment")]
    with pytest.raises(ConfigError) as caught:
        check(config, kind=kind, readers=[SweepSettings])
    assert not Path("called").exists()
    return str(caught.value)


@pytest.mark.parametrize("key", EVERYWHERE)
@pytest.mark.parametrize("attack", TOUCH)
def test_a_wrong_target_of_a_group_is_refused_and_not_called(key: str, attack: str) -> None:
    target = yaml.safe_load(TOUCH[attack])["_target_"]
    expected = refused(key, {"_target_": target, "_partial_": False})
    assert f"{key}._target_: got '{target}', which" in expected
    assert "must be a " in expected


@pytest.mark.parametrize(
    "key",
    [
        *("tower.emb_dim", "tower.zz", "optimizer.betas", "optimizer.lr", "optimizer.zz", "seed"),
        *("trainer.lightning.profiler", "trainer.lightning.max_time", "trainer.lightning.zz"),
        *("trainer.lightning.plugins", "baselines.mine", "baselines.popularity", "run_name"),
        *("preprocessing.filters", "dataset.cache_dir", "tracking.uri", "evaluation.k", "zz"),
    ],
)
@pytest.mark.parametrize("attack", TOUCH)
@pytest.mark.parametrize("shape", ["{}", "[{}]", "{{a: {{b: [{}]}}}}"])
def test_a_wrong_node_anywhere_is_refused_and_not_called(key: str, attack: str, shape: str) -> None:
    expected = refused(key, {"": yaml.safe_load(shape.format(TOUCH[attack]))})
    assert f"  {key.partition('.')[0]}" in expected


def test_the_root_is_an_experiment() -> None:
    with pytest.raises(ConfigError, match=r"_target_: got 'os.system', .*Experiment"):
        compose("train", ["++_target_=os.system"])
    with pytest.raises(ConfigError, match=r"_target_: got .*must be a twotower.commands.ui.Ui"):
        compose("ui", ["++_target_=twotower.commands.sweep.SweepStatus"])


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["loss._target_=own_parts.other"], "which gives Path, without the method __call__"),
        (["loss._target_=own_parts.WrongLoss"], "without the method __call__(scores)"),
        (["loss._target_=own_parts.untyped"], "a function without a return annotation"),
        (["loss._target_=torch.nn.ReLU"], "which gives ReLU, without the method"),
        (["loss._target_=torch.nn.BCELoss"], "which gives BCELoss, without the method"),
        (["loss._target_=own_parts.Sampler"], "which gives Sampler, without the method"),
        (["loss._target_=own_parts.nothing"], "cannot be imported"),
        (["++loss._partial_=true"], "_partial_ must be false"),
        (["++loss._partial_=maybe"], "loss._partial_: got 'maybe'; must be true or false"),
        (["++tower._partial_=false"], "_partial_ must be true"),
        (["negative_sampling._target_=own_parts.PlainLoss"], "without the method expected_count("),
        (["optimizer._target_=own_parts.tower"], "must be a torch.optim.optimizer.Optimizer"),
        (["split._target_=twotower.dataset.synthetic.Synthetic"], "twotower.split.base.Split"),
    ],
)
def test_the_message_names_the_key_what_was_found_and_what_is_accepted(
    overrides: list[str], expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        compose("train", overrides)
    assert expected in str(caught.value)
    assert not Path("called").exists()


@pytest.mark.parametrize(
    "overrides",
    [
        ["negative_sampling._target_=own_parts.Sampler"],
        ["loss._target_=own_parts.PlainLoss", "++loss.weight=2.0"],
        ["loss._target_=own_parts.loss", "++loss.weight=2.0"],
        ["optimizer._target_=own_parts.Adam"],
        ["optimizer._target_=torch.optim.SGD", "~optimizer.betas", "~optimizer.fused"],
        ["tower._target_=own_parts.tower"]
        + [f"~tower.{key}" for key in ("emb_dim", "init_std", "similarity", "bias")],
        ["loss._target_=twotower.loss.BinaryCrossEntropy"],
    ],
)
def test_parts_of_ones_own_are_accepted(overrides: list[str]) -> None:
    build(compose("train", overrides))


def test_the_rules_of_a_wrong_part_are_not_called() -> None:
    with pytest.raises(ConfigError):
        compose("train", ["split._target_=own_parts.Sneaky"])
    assert not Path("called").exists()


@pytest.mark.parametrize(
    "node",
    [
        {"output_subdir": ".hydra"},
        {"callbacks": {"a": {"_target_": "os.system", "command": "touch called"}}},
        {"callbacks": {"a": {"_target_": "subprocess.Popen", "args": ["touch", "called"]}}},
        {"launcher": {"_target_": "x", "init": {"a": [{"_target_": "os.system"}]}}},
        {"sweeper": {"_target_": "x", "_recursive_": True, "search": {"_target_": "os.system"}}},
        {"sweeper": {"_target_": "x", "_recursive_": False, "zz": {"_target_": "os.system"}}},
    ],
)
def test_hydras_own_part_calls_nothing_else(node: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"hydra\.\w+"):
        check_hydra(node)
    assert not Path("called").exists()


def test_hydras_own_part_is_accepted_as_it_is() -> None:
    search = {"_target_": "twotower.sweeping.search.grid.GridSearch"}
    check_hydra(
        {
            "output_subdir": None,
            "launcher": {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"},
            "sweeper": {"_target_": "x", "_recursive_": False, "search": search},
            "callbacks": {"log": {"_target_": "hydra.experimental.callbacks.LogJobReturnCallback"}},
        }
    )
