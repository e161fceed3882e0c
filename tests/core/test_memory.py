"""What is free, read from files as systems write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import tensor

from twotower.baselines import Ease
from twotower.core import memory
from twotower.core.errors import ConfigError
from twotower.types import TrainInteractions


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 1,000 kB free, in no container."""
    (tmp_path / "meminfo").write_text("MemTotal:  4000 kB\nMemAvailable:  1000 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_OWN_GROUP", tmp_path / "own")
    return tmp_path


def contain(system: Path, limit: str) -> None:
    (system / "memory.max").write_text(f"{limit}\n")
    (system / "memory.current").write_text("500\n")
    (system / "memory.stat").write_text("anon 300\ninactive_file 150\n")


def test_what_the_machine_has_is_available(system: Path) -> None:
    assert memory.available_bytes() == 1000 * 1024


def test_a_container_has_its_limit_and_the_cache_counts_as_free(system: Path) -> None:
    contain(system, "2000")
    assert memory.available_bytes() == 2000 - 500 + 150
    contain(system, "400")
    assert memory.available_bytes() == 50  # 400 - 500 + 150
    contain(system, "9000000")
    assert memory.available_bytes() == 1000 * 1024  # the machine has less
    contain(system, "max")
    assert memory.available_bytes() == 1000 * 1024


def test_the_group_of_a_job_has_a_limit_of_its_own(system: Path) -> None:
    (system / "own").write_text("0::/slurm/job_7\n")
    (system / "slurm" / "job_7").mkdir(parents=True)
    contain(system / "slurm" / "job_7", "max")
    assert memory.available_bytes() == 1000 * 1024
    contain(system / "slurm", "2000")
    assert memory.available_bytes() == 2000 - 500 + 150


def test_version_1_of_control_groups(system: Path) -> None:
    (system / "own").write_text("5:cpu,cpuacct:/a\n4:memory:/docker/b\n0::/\n")
    group = system / "memory" / "docker" / "b"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text("3000\n")
    (group / "memory.usage_in_bytes").write_text("1000\n")
    (group / "memory.stat").write_text("cache 7\ntotal_inactive_file 250\n")
    assert memory.available_bytes() == 3000 - 1000 + 250


def test_without_meminfo_all_memory_counts(system: Path) -> None:
    (system / "meminfo").unlink()
    whole = memory.available_bytes()
    assert whole is not None
    assert whole > 1000 * 1024


def test_where_nothing_is_known_nothing_is_refused(
    system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (system / "meminfo").unlink()
    monkeypatch.delattr("os.sysconf")
    assert memory.available_bytes() is None
    Ease(l2=1.0, precision="float64").fit(train(n_items=3))


def train(n_items: int) -> TrainInteractions:
    return TrainInteractions(tensor([0]), tensor([0]), 1, n_items)


def test_ease_refuses_what_does_not_fit(system: Path) -> None:
    # Three matrices of 200 x 200 in float64: 960,000 bytes of 1,024,000; of 210 x 210: 1,058,400.
    Ease(l2=1.0, precision="float64").fit(train(n_items=200))
    with pytest.raises(ConfigError) as error:
        Ease(l2=1.0, precision="float64").fit(train(n_items=210))
    assert str(error.value) == (
        "baselines.ease: 210 items need about 1.1 MB in float64, and 1.0 MB are free; use "
        "baselines.ease.precision=float32 (529.2 kB), fewer items (filters in preprocessing), or "
        "`baselines` without ease"
    )
    Ease(l2=1.0, precision="float32").fit(train(n_items=210))
    with pytest.raises(ConfigError, match="use fewer items"):
        Ease(l2=1.0, precision="float32").fit(train(n_items=2_000_000))  # 48 TB are not asked for


def test_sizes_have_a_unit() -> None:
    assert memory.with_unit(999) == "999 bytes"
    assert memory.with_unit(1_500_000) == "1.5 MB"
    assert memory.with_unit(14_400_000_000) == "14.4 GB"
