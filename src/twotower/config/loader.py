"""Hydra's config loader for any folders, without a trace in the Hydra of an enclosing application.

Hydra makes a loader public only as part of its global state, so one is made there and taken out.
This is the one module that touches that state.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from hydra import initialize_config_dir, version
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath, SearchPathElement
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.core.utils import JobRuntime, setup_globals
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from twotower.config.tree import CONF_DIR, installed

__all__ = ["config_loader", "own_rules", "searched"]

_VERSION_BASE = "1.3"
_one_at_a_time = threading.RLock()
_folders: ContextVar[tuple[SearchPathElement, ...]] = ContextVar("folders", default=())


class _Folders(SearchPathPlugin):
    """Replaces the main folder within `searched`, and does nothing otherwise."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if folders := _folders.get():
            elements = search_path.get_path()
            place = next(n for n, each in enumerate(elements) if each.provider == "main")
            elements[place : place + 1] = folders


def config_loader(main: str, config_dir: str | None) -> ConfigLoader:
    """Return a loader that searches `main`, then `config_dir`, then installed plug-ins.

    Args:
        main: an absolute path, or an address such as `pkg://package.conf`.
        config_dir: an absolute path.
    """
    with own_rules(), _without_application() as state, searched(main, config_dir):
        initialize_config_dir(str(CONF_DIR), version_base=_VERSION_BASE)
        return state.config_loader()


@contextmanager
def searched(main: str, config_dir: str | None) -> Iterator[None]:
    """Let the Hydra that starts within search these folders; see `config_loader`."""
    folders = [SearchPathElement("main", main)]
    if config_dir is not None:
        folders.append(SearchPathElement("command-line", f"file://{config_dir}"))
    for plugin in installed():
        folders.append(SearchPathElement(f"plug-in {plugin.name}", f"file://{plugin.folder}"))
    Plugins.instance().register(_Folders)
    token = _folders.set(tuple(folders))
    try:
        yield
    finally:
        _folders.reset(token)


@contextmanager
def own_rules() -> Iterator[None]:
    """Apply Hydra 1.3's behaviour, and restore the setting of an enclosing application."""
    with _one_at_a_time:
        state = version.VersionBase.instance()
        before = state.version_base
        version.setbase(_VERSION_BASE)
        if not OmegaConf.has_resolver("hydra"):
            setup_globals()
        try:
            yield
        finally:
            state.version_base = before


@contextmanager
def _without_application() -> Iterator[GlobalHydra]:
    state, job = GlobalHydra.instance(), JobRuntime.instance()
    before, name = state.hydra, job.get("name")
    state.clear()
    try:
        yield state
    finally:
        state.hydra = before
        job.set("name", name)
