"""`twotower doctor`: examine the data of a config without training."""

from __future__ import annotations

from collections.abc import Sequence

from twotower import config as conf
from twotower.core.console import terminal, visible
from twotower.core.writable import require_writable_file
from twotower.diagnosis import Diagnosis, diagnose
from twotower.reporting.diagnosis import print_diagnosis, save_page

__all__ = ["HELP", "run_doctor"]

HELP = """\
twotower doctor [key=value ...] [--html FILE] [--config-dir FOLDER]

Reads the data of a config as `twotower train` would, with the same keys, and reports what is wrong
with the data, the split and the settings. Nothing is trained. Each finding is ok, a warning or an
error, with what it means and the keys that mend it. The exit code is 1 if there is an error.

  --html FILE      also write the findings as a page, or html=FILE
"""
_HTML = "html="


def run_doctor(overrides: Sequence[str], html: str | None, config_dir: str | None) -> Diagnosis:
    """Print the diagnosis, and write its page if `html`, or an override of that name, is a file.

    Raises:
        ConfigError: The config is wrong, or the page cannot be written.
        SystemExit: With the code 1, if there is an error among the findings.
    """
    for line in overrides:
        if line.startswith(_HTML):
            html = line.removeprefix(_HTML)
    if html is not None:
        require_writable_file("html", html)
    lines = [line for line in overrides if not line.startswith(_HTML)]
    diagnosis = diagnose(conf.build(conf.compose("train", lines, config_dir)))
    print_diagnosis(diagnosis, terminal(soft_wrap=False))
    if html is not None:
        save_page(diagnosis, html)
        print(visible(f"written to {html}"))
    if not diagnosis.ok:
        raise SystemExit(1)
    return diagnosis
