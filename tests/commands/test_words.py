"""Commands, flags and words that do not exist: one clear line each."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from command_line import refusal  # type: ignore[import-not-found]

from twotower.cli import main


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["trian"],
            "twotower: no command 'trian'; did you mean `twotower train`? Commands: train,",
        ),
        (["tower.emb_dim=8"], "did you mean `twotower train tower.emb_dim=8`? Commands: train,"),
        (["xyz"], "twotower: no command 'xyz'; Commands: train, sweep,"),
        (["--verson"], "twotower: no command '--verson'; Commands: train, sweep,"),
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
def test_a_word_that_does_not_exist_gets_a_line(words: list[str], told: str) -> None:
    text = refusal(*words)
    assert told in text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize("words", [["--version"], ["version"], ["train", "--version"]])
def test_the_version_is_printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(words)
    assert capsys.readouterr().out == f"twotower {version('twotower')}\n"


def test_the_other_commands_know_the_folder_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "split").mkdir()
    (tmp_path / "split" / "mine.yaml").write_text("defaults: [last_n]\nn: 0\n")
    told = refusal("baselines", "split=mine", "--config-dir", str(tmp_path))
    assert "split.n: got 0" in told
