"""`trainer.ckpt_path`: runs that continue from a kept checkpoint, and those that must not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from test_trainer_choices import item_table  # type: ignore[import-not-found]

import twotower
from twotower.core.errors import ConfigError
from twotower.dataset.synthetic import Synthetic


@pytest.fixture(scope="module")
def kept(untracked_anywhere: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last checkpoint of a run of three epochs."""
    folder = tmp_path_factory.mktemp("kept")
    twotower.run([*untracked_anywhere, f"output_dir={folder}", "trainer.keep_checkpoint=last"])
    (path,) = folder.glob("runs/*/*/selection/checkpoints/last.ckpt")
    return path


def test_more_epochs_equal_one_longer_run(untracked: list[str], kept: Path) -> None:
    longer = [*untracked, "trainer.max_epochs=6"]
    whole = twotower.run(longer)
    more = twotower.run([*longer, f"trainer.ckpt_path={kept}"])
    assert more.history.equals(whole.history)
    own = [name for name in whole.metrics if name.startswith(("val/", "test/"))]
    assert [more.metrics[name] for name in own] == [whole.metrics[name] for name in own]
    assert torch.equal(item_table(more), item_table(whole))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "tower.emb_dim=8",
            "tower.emb_dim: got 8, but the run of trainer.ckpt_path has 4; must be",
        ),
        ("optimizer=sgd", "optimizer._target_: got 'torch.optim.SGD', but the run of"),
        ("seed=1", "seed: got 1, but the run of trainer.ckpt_path has 0; must be the same"),
        (
            "trainer/scheduler=linear",
            "trainer.scheduler.epochs: got 6, but the run of trainer.ckpt_path has no such key",
        ),
        (
            "trainer.max_epochs=3",
            "trainer.max_epochs: got 3, but trainer.ckpt_path has trained 3 epochs already; must "
            "be an integer >= 4",
        ),
        ("trainer.ckpt_path=absent.ckpt", "trainer.ckpt_path: got 'absent.ckpt', which does not"),
    ],
)
def test_a_run_that_cannot_continue_is_refused_before_data_is_read(
    untracked: list[str],
    kept: Path,
    monkeypatch: pytest.MonkeyPatch,
    override: str,
    message: str,
) -> None:
    monkeypatch.setattr(Synthetic, "load", lambda _: pytest.fail("data was read"))
    config = [*untracked, "trainer.max_epochs=6", f"trainer.ckpt_path={kept}", override]
    with pytest.raises(ConfigError) as caught:
        twotower.run(config)
    assert message in str(caught.value)


def test_other_data_is_refused_before_training(untracked: list[str], kept: Path) -> None:
    config = [*untracked, "trainer.max_epochs=6", f"trainer.ckpt_path={kept}", "dataset.seed=1"]
    with pytest.raises(ConfigError, match="which was trained on other data, or on another split"):
        twotower.run(config)


@pytest.mark.parametrize("keep", ["best", "both"])
def test_keeping_the_best_epoch_needs_a_validation_part(untracked: list[str], keep: str) -> None:
    config = ["split.validation=false", "trainer.patience=null", "trainer.refit=false"]
    with pytest.raises(ConfigError, match=r"trainer\.keep_checkpoint: .*must be one of none, last"):
        twotower.run([*untracked, *config, f"trainer.keep_checkpoint={keep}"])


def test_without_validation_the_only_fit_is_kept(untracked: list[str], tmp_path: Path) -> None:
    config = ["split.validation=false", "trainer.patience=null", "trainer.refit=false"]
    config = [*untracked, *config]
    twotower.run([*config, "trainer.keep_checkpoint=last"])
    (path,) = tmp_path.glob("runs/*/*/refit/checkpoints/last.ckpt")
    more = twotower.run([*config, "trainer.max_epochs=5", f"trainer.ckpt_path={path}"])
    whole = twotower.run([*config, "trainer.max_epochs=5"])
    assert torch.equal(item_table(more), item_table(whole))
