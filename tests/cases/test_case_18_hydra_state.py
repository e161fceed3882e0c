"""An application's own Hydra is as it was after twotower.run(), also after an error."""

from __future__ import annotations

import runpy
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
import pytest
from case_runner import Case
from hydra import version
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

import twotower
from twotower import config as conf
from twotower.core.errors import ConfigError


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    """An application that has initialised Hydra with a folder of its own."""
    folder = tmp_path / "own"
    (folder / "db").mkdir(parents=True)
    (folder / "c.yaml").write_text("defaults: [db: a]\n")
    (folder / "db" / "a.yaml").write_text("name: a\n")
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(folder), version_base="1.2"):
        composed = hydra.compose("c", return_hydra_config=True)
        HydraConfig.instance().set_config(composed)
        yield folder
    HydraConfig.instance().cfg = None


def state() -> list[Any]:
    composed = hydra.compose("c", ["+x=1"], return_hydra_config=True)
    sources = [source.path for source in composed.hydra.runtime.config_sources]
    known = id(GlobalHydra.instance().hydra), id(HydraConfig.instance().cfg)
    return [*known, composed.db.name, sources, version.getbase()]


def test_a_program_with_its_own_hydra(case: Case) -> None:
    GlobalHydra.instance().clear()
    try:
        runpy.run_path("use_inside_hydra.py")
    finally:
        GlobalHydra.instance().clear()


def test_composing_leaves_everything_as_it_was(own: Path) -> None:
    before = state()
    conf.compose("train", ["tower.emb_dim=4", "run_name=${now:%Y}"])
    assert state() == before
    for wrong in (["tower.emb_dim=0"], ["loss=bcee"], ["hydra.nothing=1"], ["a"], ["a=${b}"]):
        with pytest.raises(ConfigError):
            twotower.run(wrong)
        assert state() == before
    conf.Source("train", str(own)).choices("db")
    assert state() == before


def test_threads_compose_at_the_same_time(own: Path) -> None:
    before, found = state(), []

    def composing(dim: int) -> None:
        found.append((dim, conf.compose("train", [f"tower.emb_dim={dim}"])["tower"]["emb_dim"]))

    threads = [threading.Thread(target=composing, args=(dim,)) for dim in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(dim, dim) for dim in range(1, 5)]
    assert state() == before


def test_without_a_hydra_around_it_none_is_left() -> None:
    GlobalHydra.instance().clear()
    conf.compose("train", [])
    assert not GlobalHydra.instance().is_initialized()


@pytest.mark.parametrize("overrides", ["a=b", b"a=b", [1], ["seed=1", None], {"seed": 1}.items()])
def test_overrides_are_a_list_of_strings(overrides: Any) -> None:
    with pytest.raises(ConfigError, match=r"overrides: got .*; must be a list of strings, such as"):
        twotower.run(overrides)
