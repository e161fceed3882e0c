"""Choices of installed plug-ins and users' folders, and the contracts that their classes keep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from twotower.cli import main
from twotower.config import compose, recipes, tree
from twotower.config.plugins import plugins
from twotower.config.source import Source
from twotower.core.errors import ConfigError

LOSS = """\
# A loss of a plug-in.
_target_: twotower.loss.gbce.GeneralisedBinaryCrossEntropy
t: 0.5  # as that of gbce
"""
SAMPLER = """
class Uniform:
    def __init__(self, num_negatives: int{keywords}) -> None: ...
    def sample(self, users, positives, generator): ...
    def expected_count(self, users, items): ...
    def fresh(self): return self
"""
PARTS = """
from typing import ClassVar
from torch import nn
from torch.optim import Optimizer
from twotower.baselines import Baseline
from twotower.evaluation.metric import UserMetric
from twotower.loss.base import Loss
from twotower.negative_sampling import NegativeSampler
from twotower.split.base import Split

class NoFresh:
    def sample(self, users, positives, generator): ...
    def expected_count(self, users, items): ...

class NoCounts(NegativeSampler):
    def __init__(self, *, train, device): ...
    def sample(self, users, positives, generator): ...

class SampleOfOne(NegativeSampler):
    def sample(self, user): ...

class OtherSample(NoCounts):
    def expected_count(self, users, items): ...
    def fresh(self): return self

class NoForward(nn.Module):
    def table(self): ...

class NoTable(nn.Module):
    def forward(self, rows): ...

class NoOrder(nn.Module):
    def __init__(self, *, side, generator):
        self.history_length = 3
    def encode(self, items, valid): ...

class Unordered(nn.Module):
    def forward(self, items, valid): ...

class NoCut(Split):
    pass

class NoName(UserMetric):
    def per_user(self, lists, k): ...

class NoFit(Baseline):
    pass

class NoCall(Loss):
    pass

class Nothing:
    pass
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed plug-in `my_plugin` with the choice `loss=of_plugin`."""
    folder = tmp_path / "site" / "my_plugin"
    (folder / "conf" / "loss").mkdir(parents=True)
    (folder / "conf" / "loss" / "of_plugin.yaml").write_text(LOSS)
    (folder / "__init__.py").write_text("raise AssertionError('imported to find its folder')")
    install(tmp_path / "site", "my_plugin")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    forget()
    yield folder
    monkeypatch.undo()
    forget()


def install(site: Path, package: str) -> None:
    """Write what pip writes of a package with an entry point."""
    info = site / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[twotower.plugins]\n{package} = {package}\n")


def forget() -> None:
    cached: tuple[Any, ...] = (tree.installed, recipes.recipe, recipes.fillings, recipes.keys)
    for function in (*cached, recipes.nested_groups):
        function.cache_clear()


def refused(*overrides: str, config_dir: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        compose("train", overrides, config_dir)
    return str(caught.value)


@pytest.mark.usefixtures("package")
def test_an_installed_plugin_brings_its_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert compose("train", ["loss=of_plugin"])["loss"]["t"] == 0.5
    assert "did you mean 'of_plugin'? Valid: bce, " in refused("loss=of_plugins")
    assert "dataset=of_plugin: no such choice; did you mean 'loss=of_plugin'?" in refused(
        "dataset=of_plugin"
    )
    main(["train", "--help"])
    assert "   of_plugin              A loss of a plug-in." in capsys.readouterr().out
    main(["train", "loss=of_plugin", "--cfg", "job", "--package", "loss"])
    assert "t: 0.5" in capsys.readouterr().out


def test_the_folder_of_the_user_comes_before_plugins(package: Path, tmp_path: Path) -> None:
    own = tmp_path / "conf" / "loss"
    own.mkdir(parents=True)
    (own / "of_plugin.yaml").write_text(LOSS.replace("0.5", "0.25"))
    assert compose("train", ["loss=of_plugin"], tmp_path / "conf")["loss"]["t"] == 0.25
    searched = f"hydra.searchpath=[{tmp_path / 'conf'}]"
    assert compose("train", ["loss=of_plugin", searched])["loss"]["t"] == 0.5


@pytest.mark.parametrize("command", ["baselines", "compare", "recommend", "ui", "sweep"])
def test_every_command_searches_the_folders(command: str, tmp_path: Path) -> None:
    (tmp_path / "tracking").mkdir()
    (tmp_path / "tracking" / "ours.yaml").write_text("defaults: [sqlite]\nexperiment_name: ours\n")
    needed = {"compare": ["sweep=latest"], "recommend": ["out=lists.csv"]}.get(command, [])
    if command == "sweep":  # reads no tracking
        compose(command, [f"hydra.searchpath=[{tmp_path}]"], tmp_path)
        return
    by_flag = compose(command, ["tracking=ours", *needed], tmp_path)
    by_path = compose(command, ["tracking=ours", f"hydra.searchpath=[{tmp_path}]", *needed])
    assert by_flag["tracking"]["experiment_name"] == "ours"
    assert by_path == by_flag


def test_a_file_that_would_never_be_read_is_refused(package: Path, tmp_path: Path) -> None:
    changed = tree.file_of("loss", "bce")
    assert changed is not None
    (tmp_path / "conf" / "loss").mkdir(parents=True)
    own = tmp_path / "conf" / "loss" / "bce.yaml"
    own.write_bytes(changed.read_bytes())
    Source("train", config_dir=str(tmp_path / "conf"))  # a plain copy has no effect either way
    own.write_text(changed.read_text() + "more: 1\n")
    assert refused(config_dir=tmp_path / "conf") == (
        f"--config-dir: {own} is never read, since twotower has a file loss/bce.yaml; must have "
        "another name"
    )
    of_plugin = package / "conf" / "loss" / "bce.yaml"
    of_plugin.write_text(own.read_text())
    with pytest.raises(ConfigError, match=r"^plug-in my_plugin: .*bce.yaml is never read, since"):
        plugins(tree.CONF_DIR)


def test_two_plugins_with_one_choice_are_refused(package: Path, tmp_path: Path) -> None:
    other = tmp_path / "site" / "other_plugin" / "conf" / "loss"
    other.mkdir(parents=True)
    (other / "of_plugin.yaml").write_text(LOSS)
    install(tmp_path / "site", "other_plugin")
    with pytest.raises(
        ConfigError, match=r"^plug-ins my_plugin and other_plugin: both have loss/of_plugin.yaml, "
    ):
        plugins(tree.CONF_DIR)


@pytest.mark.usefixtures("package")
def test_a_plugin_without_a_config_folder_is_named(tmp_path: Path) -> None:
    install(tmp_path / "site", "gone_plugin")
    with pytest.raises(
        ConfigError,
        match=r"^plug-in gone_plugin of gone_plugin 1.0: got 'gone_plugin' as its entry point in "
        r"twotower.plugins; must be an importable package with a folder conf$",
    ):
        plugins(tree.CONF_DIR)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["negative_sampling._target_=parts.NoFresh"], "gives NoFresh, without the method fresh()"),
        (
            ["negative_sampling._target_=parts.NoCounts"],
            "gives NoCounts, without the method expected_count(users, items)",
        ),
        (
            ["negative_sampling._target_=parts.OtherSample", "~negative_sampling.exclude_seen"],
            "negative_sampling.num_negatives: no such key",
        ),
        (["tower._target_=parts.NoForward"], "NoForward, without the method __call__(rows)"),
        (["tower._target_=parts.NoTable"], "NoTable, without the method table()"),
        (["tower._target_=parts.NoOrder"], "NoOrder, without the attribute ordered"),
        (
            ["tower=history", "tower.encoder._target_=parts.Unordered"],
            "tower.encoder._target_: got 'parts.Unordered', which gives Unordered, without the "
            "attribute ordered",
        ),
        (["dataset._target_=parts.Nothing"], "gives Nothing, without the method load()"),
        (["split._target_=parts.NoCut"], "gives NoCut, without the method cut(log, part)"),
        (["loss._target_=parts.NoCall"], "gives NoCall, without the method __call__(scores)"),
        (
            ["evaluation.metrics=[{_target_:parts.NoName}]"],
            "gives NoName, without the attribute name",
        ),
        (
            ["baselines.popularity._target_=parts.NoFit"],
            "gives NoFit, without the method fit(train)",
        ),
        (["optimizer._target_=parts.Nothing"], "which gives Nothing; must be a torch.optim."),
        (["trainer.scheduler._target_=parts.Nothing"], "Nothing, without the attribute epochs"),
        (
            ["loss._target_=absent.Loss"],
            "No module named 'absent'; absent must be installed, or the folder that holds it be on "
            "PYTHONPATH",
        ),
    ],
)
def test_a_missing_method_is_named_before_data_is_read(
    overrides: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "parts.py").write_text(PARTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert expected in refused(*overrides)


def test_a_baseline_without_its_name_is_explained(tmp_path: Path) -> None:
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "mine.yaml").write_text("# Mine.\n_target_: parts.Nothing\n")
    assert (
        "baselines: holds the keys of parts.Nothing themselves; must hold nodes by their names, "
        "such as `mine: {_target_: ...}`"
    ) in refused("baselines=[mine]", config_dir=tmp_path)


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        (
            "",
            "which does not take the argument train or device; must take train, device, which the "
            "run passes as keywords",
        ),
        (", *, train", "which does not take the argument device; must take train, device, "),
        (", *, train, device, memory: int", "negative_sampling.memory: missing; it must be set"),
    ],
)
def test_a_class_that_the_run_cannot_call_is_refused(
    keywords: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"sampler_{len(keywords)}"
    (tmp_path / f"{name}.py").write_text(SAMPLER.format(keywords=keywords))
    monkeypatch.syspath_prepend(str(tmp_path))
    target = f"negative_sampling._target_={name}.Uniform"
    assert expected in refused(target, "~negative_sampling.exclude_seen")
