"""What became of a trial, written and read again, by whichever process."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from sweep_examples import MONITOR, trial_result  # type: ignore[import-not-found]

from twotower.sweeping.run_trial import is_settled, lost
from twotower.sweeping.sweep_file import SweepFile
from twotower.sweeping.trial_result import State, TrialResult
from twotower.sweeping.trial_spec import TrialSpec

FRAMES = ("history", "per_user", "relevant")

FINISHED: TrialResult = replace(
    trial_result(
        {"tower.emb_dim": 32, "loss": "bce", "sizes": [64, 32], "x": None}, 0.3, coverage=0.2
    ),
    warnings=("by NDCG@10 on validation it is not better than popularity",),
    per_user=pl.DataFrame({"user_id": ["a", "b"], "n_seen": [3, 1], "ndcg_at_10": [0.2, 0.4]}),
    relevant=pl.DataFrame(
        {"user_id": ["a", "b"], "item_id": [7, 9], "popularity": [4, 0], "rank": [1, None]}
    ),
)


def assert_same(one: TrialResult | None, other: TrialResult) -> None:
    assert one is not None
    for name, value in vars(other).items():
        got = getattr(one, name)
        if isinstance(value, pl.DataFrame):
            assert_frame_equal(got, value)
        else:
            assert got == value, name
            assert type(got) is type(value), name


def test_a_finished_trial_is_read_as_it_was_written(tmp_path: Path) -> None:
    FINISHED.save(tmp_path)
    assert_same(TrialResult.load(tmp_path), FINISHED)
    assert {path.name for path in tmp_path.iterdir()} == {
        "outcome.json",
        *(f"{name}.parquet" for name in FRAMES),
    }


@pytest.mark.parametrize("state", ["pruned", "diverged", "failed"])
def test_a_trial_that_did_not_finish_is_read_as_it_was_written(
    state: State, tmp_path: Path
) -> None:
    unfinished: TrialResult = trial_result(
        {"tower.emb_dim": 32}, 0.3, state=state, error="what: went wrong"
    )
    unfinished.save(tmp_path)
    assert_same(TrialResult.load(tmp_path), unfinished)


def test_a_number_that_is_none_survives(tmp_path: Path) -> None:
    odd = {MONITOR: math.nan, "val/loss": math.inf, "test/ndcg_at_10": -math.inf, "train/x": 1e-300}
    replace(FINISHED, metrics=odd, intervals={MONITOR: (math.nan, math.inf)}).save(tmp_path)
    again = TrialResult.load(tmp_path)
    assert again is not None
    assert math.isnan(again.metrics.pop(MONITOR))
    assert again.metrics == {
        "val/loss": math.inf,
        "test/ndcg_at_10": -math.inf,
        "train/x": 1e-300,
    }
    assert math.isnan(again.intervals[MONITOR][0])
    assert again.intervals[MONITOR][1] == math.inf
    assert again.tested


@given(values=st.dictionaries(st.text(), st.floats(allow_nan=False)), text=st.text())
def test_every_number_is_kept_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, float], text: str
) -> None:
    folder = tmp_path_factory.mktemp("trial")
    written = replace(FINISHED, metrics=values, error=text, varied={"key": text})
    written.save(folder)
    assert_same(TrialResult.load(folder), written)


def test_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert TrialResult.load(tmp_path) is None
    assert TrialResult.load(tmp_path / "no such folder") is None


def cut_json(folder: Path) -> None:
    text = (folder / "outcome.json").read_text()
    (folder / "outcome.json").write_text(text[: len(text) // 2])


def empty_json(folder: Path) -> None:
    (folder / "outcome.json").write_text("")


def broken_bytes(folder: Path) -> None:
    (folder / "outcome.json").write_bytes(b"\xff\xfe{")


def no_json(folder: Path) -> None:
    (folder / "outcome.json").unlink()


@pytest.mark.parametrize("damage", [cut_json, empty_json, broken_bytes, no_json])
def test_half_of_an_outcome_is_none(damage: Callable[[Path], None], tmp_path: Path) -> None:
    FINISHED.save(tmp_path)
    damage(tmp_path)
    assert TrialResult.load(tmp_path) is None
    FINISHED.save(tmp_path)  # and the trial may be run again
    assert_same(TrialResult.load(tmp_path), FINISHED)


def test_an_outcome_that_could_not_be_written_leaves_the_one_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FINISHED.save(tmp_path)

    def full(self: Path, text: str) -> int:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space"):
        replace(FINISHED, error="another").save(tmp_path)
    monkeypatch.undo()
    assert_same(TrialResult.load(tmp_path), FINISHED)


def spec(**changes: object) -> TrialSpec:
    made = TrialSpec(
        hash=FINISHED.hash,
        name="emb_dim=32 seed=1",
        setting="emb_dim=32",
        overrides=("tower.emb_dim=32", "seed=1"),
        varied={"tower.emb_dim": 32, "x": None},
        seed=1,
        repeat={"seed": 1},
        baselines="",
        place="3/12",
        parent_id=None,
        tests=False,
        study={"number": 4},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_spec_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert TrialSpec.load(tmp_path) is None
    for written in (spec(), spec(parent_id="run", study=None, tests=True)):
        written.save(tmp_path / "trial")
        assert TrialSpec.load(tmp_path / "trial") == written


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    assert SweepFile.load(folder) is None
    made = SweepFile(folder, "emb_dim", "twotower train -m", None, 2, MONITOR, {})
    assert made.save(trials={"trial-1": "emb_dim=16"}, parent_id="run") == SweepFile.load(folder)
    assert SweepFile.load(folder) == replace(
        made, trials={"trial-1": "emb_dim=16"}, parent_id="run"
    )


@pytest.mark.parametrize(
    ("state", "tested", "tests", "settled"),
    [
        ("finished", False, False, True),
        ("finished", True, False, True),
        ("finished", True, True, True),
        ("finished", False, True, False),  # its test is missing
        ("pruned", False, True, True),
        ("diverged", False, True, True),
        ("failed", False, False, False),  # it is tried again
    ],
)
def test_what_is_left_to_do(state: State, tested: bool, tests: bool, settled: bool) -> None:
    metrics = {MONITOR: 0.1} | ({"test/ndcg_at_10": 0.1} if tested else {})
    done = replace(FINISHED, state=state, metrics=metrics)
    assert is_settled(done, spec(tests=tests)) is settled
    # What is there of another trial, of whose hash the folder's name is only the beginning.
    assert not is_settled(done, spec(hash="another", tests=tests))


def test_a_lost_trial_is_reported(tmp_path: Path) -> None:
    gone = lost(spec(), RuntimeError("killed by signal 9\nand more"), None)
    assert (gone.state, gone.error) == ("failed", "RuntimeError: killed by signal 9")
    assert (gone.hash, gone.name, gone.seed) == (FINISHED.hash, "emb_dim=32 seed=1", 1)
    gone.save(tmp_path)
    assert_same(TrialResult.load(tmp_path), gone)


def test_a_written_outcome_is_plain_json(tmp_path: Path) -> None:
    FINISHED.save(tmp_path)
    content = json.loads((tmp_path / "outcome.json").read_text())
    assert content["varied"] == {"tower.emb_dim": 32, "loss": "bce", "sizes": [64, 32], "x": None}
    assert content["metrics"][MONITOR] == 0.3


def test_nothing_is_left_of_an_outcome_of_before(tmp_path: Path) -> None:
    FINISHED.save(tmp_path)
    failed = replace(FINISHED, state="failed", history=None, per_user=None, relevant=None)
    failed.save(tmp_path)
    assert_same(TrialResult.load(tmp_path), failed)


@pytest.mark.parametrize("name", ["outcome.json", "per_user.parquet"])
def test_what_cannot_be_read_is_none(name: str, tmp_path: Path) -> None:
    FINISHED.save(tmp_path)
    path = tmp_path / name
    if name == "outcome.json":
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "of another version": 1}))
    else:
        path.write_bytes(path.read_bytes()[:20])
    assert TrialResult.load(tmp_path) is None
