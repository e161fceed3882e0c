"""What tests of whole runs share: a small dataset in config, and a store that is ready."""

from __future__ import annotations

import logging
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# The first call of a compiled function compiles it, which no example of a property can foresee.
settings.register_profile("twotower", deadline=None)
settings.load_profile("twotower")

# Tests run in parallel, some with processes of their own: threads that wait for one another on
# cores that others hold take ten times as long. Set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell starts what it puts in the background with SIGINT ignored, which commands started here
# would inherit: those that tests interrupt would never end.
signal.signal(signal.SIGINT, signal.default_int_handler)

# 60 users and 40 items: a run takes a second or two.
SMALL = (
    "dataset=synthetic",
    "dataset.n_users=60",
    "dataset.n_items=40",
    "dataset.n_interactions=1000",
    "preprocessing=none",
    "split=last_n",
    "split.n=2",
    "trainer.max_epochs=3",
    "trainer.batch_size=256",
    "trainer.progress_bar=false",
    "negative_sampling.num_negatives=4",
    "tower.emb_dim=4",
)


@pytest.fixture(autouse=True)
def no_log_handlers_left() -> Iterator[None]:
    """Remove the handlers that Hydra adds where a command runs in this process.

    They write to streams that are closed when the command ends.
    """
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in before:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)


@pytest.fixture(scope="session")
def migrated_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated store costs seconds, so one is made for the session and copied."""
    from twotower.tracking.store import open_store

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    open_store(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def untracked_anywhere() -> list[str]:
    """Overrides of a small run that is not tracked, without its folder."""
    return [*SMALL, "tracking=none"]


@pytest.fixture
def output_dir(tmp_path: Path, migrated_db: Path) -> Path:
    """An output directory whose store is ready and empty."""
    folder = tmp_path / "outputs"
    folder.mkdir()
    shutil.copy(migrated_db, folder / "mlflow.db")
    return folder


@pytest.fixture
def small(output_dir: Path) -> list[str]:
    """Overrides of a small run that is tracked in `output_dir`."""
    return [*SMALL, f"output_dir={output_dir}"]


@pytest.fixture
def untracked(tmp_path: Path, untracked_anywhere: list[str]) -> list[str]:
    """Overrides of a small run that is not tracked."""
    return [*untracked_anywhere, f"output_dir={tmp_path}"]
