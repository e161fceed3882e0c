"""Runs `twotower` inside a copy of a case's folder."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

# What the command lines of the cases have in common: one short training on a small log.
BRIEF = (
    "dataset=file",
    "preprocessing=none",
    "split=last_n",
    "trainer.max_epochs=1",
    "trainer.refit=false",
    "trainer.progress_bar=false",
    "negative_sampling.num_negatives=3",
)


@dataclass(frozen=True)
class Done:
    """How a command ended. text: standard output, then standard error, then the exit message."""

    code: int
    text: str


@dataclass(frozen=True)
class Case:
    """folder: a copy of the case's folder and the working directory, with a store in `out`."""

    folder: Path

    def call(self, *arguments: str, code: int = 0) -> Done:
        """Run `twotower` in this process, which saves the seconds that imports take.

        Fails unless the exit code is `code`, and for any traceback.
        """
        done = _call(arguments)
        assert "Traceback" not in done.text, done.text
        assert done.code == code, done.text
        return done

    def train(self, *overrides: str, code: int = 0) -> Done:
        """`twotower train` with `BRIEF` and `overrides`, tracked in `out`."""
        return self.call("train", *BRIEF, *_here(overrides), code=code)

    def sweep(self, *overrides: str, code: int = 0) -> Done:
        """`twotower train -m` with `BRIEF` and `overrides`, tracked in `out`."""
        return self.call("train", "-m", *BRIEF, *_here(overrides), code=code)


def _here(overrides: tuple[str, ...]) -> list[str]:
    keys = {override.partition("=")[0] for override in overrides}
    return [*overrides, *([] if "output_dir" in keys else ["output_dir=out"])]


def _call(arguments: tuple[str, ...]) -> Done:
    from twotower.cli import main

    argv, folder = sys.argv, Path.cwd()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out, err, said = io.StringIO(), io.StringIO(), ""
    code = 0
    sys.argv = ["twotower"]  # which Hydra reads and the command replaces
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main(arguments)
            except SystemExit as end:
                if isinstance(end.code, str):
                    code, said = 1, end.code
                else:
                    code = end.code or 0
    finally:
        sys.argv = argv
        os.chdir(folder)
        for handler in root.handlers:
            if handler not in handlers:
                handler.close()
        root.handlers[:], root.level = handlers, level
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = None
    return Done(code, out.getvalue() + err.getvalue() + said)
