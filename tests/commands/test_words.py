"""Commands, flags and words that do not exist: one clear line each."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from command_line import refusal  # type: ignore[import-not-found]

from twotower.cli import main
from twotower.config import CONF_DIR


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (
            ["trian"],
            "twotower: no command 'trian'; did you mean `twotower train`? Commands: train,",
        ),
        (["tower.emb_dim=8"], "did you mean `twotower train tower.emb_dim=8`? Commands: train,"),
        (["xyz"], "twotower: no command 'xyz'; Commands: train, doctor, sweep,"),
        (["--verson"], "twotower: no command '--verson'; Commands: train, doctor, sweep,"),
        (["train", "foo"], "twotower: foo: not an override; expected key=value, such as"),
        (["train", "output_dir=a=b"], "in a shell as 'output_dir='"),
        (["recommend", "foo"], "twotower: foo: not an override; expected key=value"),
        (
            ["recommend", "--hlp"],
            "--hlp: no such flag of `twotower recommend`; did you mean --help?",
        ),
        (["ui", "-m"], "twotower: -m: no such flag of `twotower ui`; "),
        (
            ["compare", "--config-dir", "nowhere"],
            "--config-dir: got 'nowhere'; must be an existing",
        ),
        (["sweep"], "twotower: sweep: must be `twotower sweep status`"),
        (["sweep", "stat"], "twotower: sweep: got 'stat'; must be `twotower sweep status`"),
    ],
)
def test_an_unknown_word_is_reported_in_one_line(words: list[str], output: str) -> None:
    text = refusal(*words)
    assert output in text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize("words", [["--version"], ["version"], ["train", "--version"]])
def test_the_version_is_printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(words)
    assert capsys.readouterr().out == f"twotower {version('twotower')}\n"


def help_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    main(["train", *words, "--help"])
    return capsys.readouterr().out


def test_the_help_shows_choices_keys_and_comments(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(capsys)
    assert "twotower train tower.emb_dim=32" in text
    assert "\n * embedding " in text
    assert "\n   history " in text
    assert "\n   sweeps/emb_dim_x_num_negatives " in text
    assert "\n   optuna " in text
    assert "\n-- tower=embedding --\n" in text
    written = (CONF_DIR / "tower" / "embedding.yaml").read_text()
    (line,) = [line for line in written.splitlines() if line.startswith("emb_dim:")]
    assert f"\n{line}\n" in text  # with its comment
    assert "\n_target_" not in text


def test_the_help_is_of_what_is_selected(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = help_of(capsys, "tower=history", "tower/encoder=gru")
    assert "\n-- tower=history --\n" in text
    assert "\nhistory_length: 50" in text
    assert "\n-- tower/encoder=gru --\n" in text
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("# A loss of mine.\nmargin: 1  # a margin\n")
    text = help_of(capsys, "loss=mine", "--config-dir", str(tmp_path))
    assert f"\n * {'mine':<22} A loss of mine.\n" in text
    assert "\nmargin: 1  # a margin\n" in text
    assert "loss=nine: no such choice" in refusal("train", "loss=nine", "--help")


def test_the_other_commands_know_the_folder_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "split").mkdir()
    (tmp_path / "split" / "mine.yaml").write_text("defaults: [last_n]\nn: 0\n")
    output = refusal("baselines", "split=mine", "--config-dir", str(tmp_path))
    assert "split.n: got 0" in output
