"""The arguments that `twotower train` passes to Hydra, and what it refuses before."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from twotower.config import parse_flags, render
from twotower.config.launch import launch
from twotower.core.errors import ConfigError

SWEEP = "experiment=sweeps/emb_dim_x_num_negatives"


def started(*words: str) -> list[str]:
    return launch(parse_flags(words, "train"))


def folder(*words: str) -> str:
    (place,) = [w for w in started(*words) if w.startswith("hydra.sweep.dir=")]
    return place


def refusal(*words: str) -> str:
    with pytest.raises(ConfigError) as caught:
        started(*words)
    return str(caught.value)


@pytest.fixture
def conf_dir(tmp_path: Path) -> str:
    (tmp_path / "tower").mkdir()
    (tmp_path / "tower" / "mine.yaml").write_text("defaults: [embedding]\nemb_dim: 4\n")
    (tmp_path / "own.yaml").write_text("defaults: [train, _self_]\nseed: 7\n")
    return str(tmp_path)


def test_a_run_is_started_with_its_overrides() -> None:
    assert started("tower.emb_dim=4", "loss=bpr") == ["++tower.emb_dim=4", "loss=bpr"]


def test_flags_and_overrides_can_be_in_any_order(conf_dir: str) -> None:
    words = ["tower=mine", "-m", "seed=1,2", "--config-dir", conf_dir, "loss=bpr"]
    flag, place, *overrides = started(
        *words
    )  # Hydra starts within `searched`, which has the folder
    assert flag == "--multirun"
    assert place.startswith("hydra.sweep.dir=outputs/sweeps/")
    assert overrides == ["tower=mine", "++seed=1,2", "loss=bpr"]


def test_checks_see_the_folder_of_the_user(conf_dir: str) -> None:
    assert "tower=mine: no such choice" in refusal("tower=mine")
    assert "tower=nine: no such choice; did you mean 'mine'?" in refusal(
        "tower=nine", "--config-dir", conf_dir
    )
    for flags in (["--config-dir", conf_dir], ["--config-dir", conf_dir, "--config-name", "own"]):
        assert "tower.emb_dim: got 0" in refusal("tower.emb_dim=0", *flags)
    searched = f"hydra.searchpath=[{conf_dir}]"
    assert "tower.emb_dim: got 0" in refusal("tower=mine", searched, "tower.emb_dim=0")
    assert refusal("--config-dir", "nowhere").startswith("--config-dir: got 'nowhere'; must be")


def test_sweeps_of_other_configs_are_other_sweeps(conf_dir: str) -> None:
    axis = ("-m", "tower.emb_dim=4,8")
    flags = ("--config-dir", conf_dir)
    plain = folder(*axis)
    own = folder(*axis, *flags, "--config-name", "own")
    assert own != plain
    assert own == folder(*axis, "seed=7")  # the whole content of the file
    assert folder(*axis, *flags, "tower=mine") not in (plain, own)
    assert folder(*axis, *flags) == plain  # with nothing chosen from it
    assert folder("-m", "tower.emb_dim=8,4,16") == plain
    assert folder("loss=bce", "-m", "seed=0", "tower.emb_dim=8,4") == plain  # the defaults


def test_a_sweep_of_a_file_is_that_of_the_command_line() -> None:
    written = folder("-m", SWEEP)
    assert written == folder("-m", "tower.emb_dim=8,16", "negative_sampling.num_negatives=1,5")
    # Values of the same keys extend it; another key makes another sweep.
    assert folder("-m", SWEEP, "tower.emb_dim=128,256") == written
    assert folder("-m", SWEEP, "seed=0,1") != written
    assert folder("-m", SWEEP, "tower.emb_dim=8") != written


def test_a_sweep_of_a_file_is_none_without_m() -> None:
    assert refusal(SWEEP).startswith(
        "hydra.sweeper.params: sweeps over tower.emb_dim, negative_sampling.num_negatives; use -m"
    )
    one = [SWEEP, "tower.emb_dim=8", "negative_sampling.num_negatives=1"]
    assert started(*one) == [SWEEP, "++tower.emb_dim=8", "++negative_sampling.num_negatives=1"]


def test_values_of_a_file_are_checked(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    file = tmp_path / "experiment" / "wrong.yaml"
    for params, message in (
        ("tower.emb_dim: '0,4'", "tower.emb_dim: got 0"),
        ("tower: {emb_dim: '0,4'}", "tower.emb_dim: got 0"),
        ("tower.emb_dimm: '2,4'", "tower.emb_dimm: no such key"),
    ):
        swept = f"hydra: {{sweeper: {{params: {{{params}}}}}}}"
        file.write_text(f"# @package _global_\n{swept}\n")
        assert message in refusal("-m", "experiment=wrong", "--config-dir", str(tmp_path))


@pytest.mark.parametrize("name", ["runs/lr=0.1", "a b, [x] {y} #1 $HOME é", 'it\'s "x"', "~x"])
def test_the_folder_of_a_sweep_may_have_any_name(name: str) -> None:
    place = folder("-m", "tower.emb_dim=2,4", render("output_dir", name))
    (parsed,) = OverridesParser.create().parse_overrides([place])
    assert str(parsed.value()).startswith(f"{name}/sweeps/")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tower.emb_dim=8,16"], "tower.emb_dim: got several values, for which one run has no use"),
        (
            ["-m", "run_name=a,b"],
            "run_name: got several values, but trials that differ in it alone",
        ),
        (["-m", "hydra.launcher.n_jobs=1,2"], "hydra.launcher.n_jobs: got several values"),
        (["--multirn"], "--multirn: no such flag of `twotower train`; did you mean --multirun?"),
        (["-m", "--cfg", "job"], "--multirun: got --cfg, which only shows something"),
        (["--cfg", "jo"], "argument --cfg/-c: invalid choice: 'jo'"),
        (["--resolve"], "--resolve: has a meaning with --cfg alone"),
        (["--config-name"], "expected one argument"),
        (["--config-name", "nothing"], "nothing"),
        (["-tower.emb_dim=8"], "-tower.emb_dim=8: no such flag"),
        (["--experimental-rerun", "x"], "--experimental-rerun: not supported"),
        (["--run", "-m"], "--run, --multirun: exclude each other"),
    ],
)
def test_flags_that_make_no_sense_are_refused_in_a_line(words: list[str], message: str) -> None:
    text = refusal(*words)
    assert message in text
