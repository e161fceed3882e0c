"""Workers of Ray Train: equal to one process, restarted after a death, ended with the run."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback
from test_trainer import TRAINER  # type: ignore[import-not-found]
from two_processes import PER_STEP, outcome  # type: ignore[import-not-found]

from twotower.core.errors import ConfigError, DataError, ResourceError
from twotower.training import OnEpoch, ray_workers
from twotower.training.further_processes import LostProcessError
from twotower.training.ray import RayTrainer
from twotower.training.ray_workers import Workers, error_of

WORKERS = Workers(number=2, cpus=1, accelerator="cpu", address=None, max_failures=0)
RAY = RayTrainer(
    **{field.name: getattr(TRAINER, field.name) for field in fields(TRAINER)}
    | {"batch_size": PER_STEP // 2, "devices": 2, "strategy": "ddp"},
    address=None,
    cpus_per_worker=1,
    max_failures=1,
)


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Ray with two cores, whatever this machine has; its token is kept in a folder of its own."""
    ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'twotower[ray]'")
    pytest.importorskip("ray.train")
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(address="local", num_cpus=2, log_to_driver=False, include_dashboard=False)
        yield ray
        ray.shutdown()


class DieOnce(Callback):
    """Kills the second of two processes in epoch 3, the first time."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def on_train_epoch_start(self, trainer: Any, *_: Any) -> None:
        if trainer.current_epoch == 2 and trainer.global_rank == 1 and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_fit_whose_worker_dies_equals_one_process(ray: Any, tmp_path: Path) -> None:
    marker = tmp_path / "died"
    both = outcome(replace(RAY, callbacks={"die": DieOnce(marker)}), True, tmp_path / "fit")
    assert marker.exists()
    one = outcome(replace(TRAINER, batch_size=PER_STEP), True)
    for epoch in (*one["history"], *both["history"]):
        del epoch["val/loss"]  # its batches have trainer.batch_size rows, in each process
    assert both["history"] == [pytest.approx(epoch, rel=1e-4) for epoch in one["history"]]
    assert torch.allclose(torch.tensor(both["items"]), torch.tensor(one["items"]), atol=1e-4)


def fail_or_wait(on_epoch: OnEpoch) -> None:
    import ray.train

    on_epoch(os.getpid(), {})
    if ray.train.get_context().get_world_rank() == 1:
        time.sleep(1)  # until the other one has reported
        raise DataError("there is no such item")
    time.sleep(300)


def is_running(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def ends(pid: int) -> bool:
    end = time.monotonic() + 60
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.1)
    return not is_running(pid)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_error_of_a_worker_ends_the_other_and_ray(
    ray: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers: list[int] = []
    monkeypatch.setattr(ray_workers, "_started", {os.getpid()})
    with pytest.raises(DataError, match="no such item"):
        WORKERS.run(fail_or_wait, lambda pid, _: workers.append(pid), tmp_path)
    assert not ray.is_initialized()
    assert len(workers) == 2
    assert all(map(ends, workers))


class RayStandIn:
    """Ray as far as `check_device` knows it: a machine of two cores and no GPU."""

    class exceptions:  # noqa: N801
        class RayError(Exception):
            pass

    def is_initialized(self) -> bool:
        return True

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}


def test_what_this_machine_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_workers, "library", lambda *_: RayStandIn())
    RAY.check_device()
    replace(RAY, devices=64, accelerator="gpu", address="auto").check_device()  # it may grow
    with pytest.raises(ConfigError, match=r"^trainer\.devices: got 3, which takes 3 CPUs"):
        replace(RAY, devices=3).check_device()
    with pytest.raises(ConfigError, match=r"takes 2 GPUs, and Ray has 0; must be at most that"):
        replace(RAY, accelerator="gpu").check_device()


def test_without_ray_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'twotower\[ray\]'"):
        RAY.check_device()


def test_the_death_of_a_worker_is_no_error_of_the_program() -> None:
    ray = RayStandIn()
    failed = RuntimeError("Training failed due to worker errors")
    assert error_of(failed, ray) is failed
    failed.worker_failures = {1: ValueError("a bug")}  # type: ignore[attr-defined]
    assert error_of(failed, ray) is failed
    failed.worker_failures = {1: ray.exceptions.RayError("the actor died")}  # type: ignore[attr-defined]
    error = error_of(failed, ray)
    assert isinstance(error, ResourceError)
    assert "a worker of Ray died: the actor died; the same command resumes" in str(error)
    # What the other worker finds when it talks to the dead one, which Ray may notice first.
    lost = RuntimeError("a traceback")
    lost._base_exc = LostProcessError("gone")  # type: ignore[attr-defined]
    failed.worker_failures[0] = lost  # type: ignore[attr-defined]
    assert "a worker of Ray died: the actor died;" in str(error_of(failed, ray))
    del failed.worker_failures[1]  # type: ignore[attr-defined]
    assert "a worker of Ray died: its connections were closed;" in str(error_of(failed, ray))


def test_a_sweep_may_use_ray() -> None:
    assert not RAY.repeats_command
    assert replace(TRAINER, devices=2).repeats_command
    assert not TRAINER.repeats_command
