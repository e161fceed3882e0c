"""The benchmark of a GPU: refused without one, and whole on a CPU at a hundredth of the size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import gpu

    return gpu


def test_without_a_gpu_nothing_is_measured(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match=r"no GPU was found by torch .* nothing was measured"):
        gpu.main([])


def test_each_setting_is_measured(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "bandwidth", lambda _: 1e9)
    small = {
        name: replace(setting, users=60, items=5000, per_user=5, epochs=2)
        for name, setting in gpu.SETTINGS.items()
    }
    gpu.report(list(small), "cpu", "cpu", small)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[3:]] == [f"| {name}" for name in small]


def test_the_bytes_of_a_step_are_counted(gpu: ModuleType) -> None:
    setting = gpu.Setting((), 3, 5, 2, 2, 4, own=True)
    experiment = SimpleNamespace(
        trainer=SimpleNamespace(batch_size=4), config={"tower": {"emb_dim": 16}}
    )
    # 6 positives in 2 steps: 2 * 8 passes over 8 rows, and users, items and 4 negatives of each
    # positive, 6 rows, are read and receive a gradient; 64 bytes a row.
    assert gpu._bytes(setting, experiment, 6) == (2 * 8 * 8 + 2 * 6 * 6) * 64
    pool = replace(setting, own=False)  # 4 rows of negatives in each of 2 steps
    assert gpu._bytes(pool, experiment, 6) == (2 * 8 * 8 + 2 * (12 + 8)) * 64
