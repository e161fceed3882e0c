"""The command line: `twotower train` and the other commands."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from twotower import config as conf
from twotower.config.launch import launch
from twotower.config.naming import run_name
from twotower.core.console import safe_output, visible
from twotower.core.errors import ConfigError, TwoTowerError
from twotower.core.secrets import mask_all, remember
from twotower.sweeping.trial_spec import TrialSpec

__all__ = ["main"]

_COMMANDS = (
    *("train", "doctor", "sweep", "compare", "baselines"),
    *("recommend", "similar", "export", "register", "promote"),
    *("ui", "sync"),
)
_HELP = """\
twotower: experiments with two-tower dot-product recommenders

  twotower train [-m] [key=value ...]   train a model, log the run to MLflow; -m sweeps a=1,2,3
  twotower doctor [key=value ...]       examine the data and settings of a run without training
  twotower sweep status [key=value ...] print the progress of sweeps
  twotower compare [key=value ...]      compare earlier runs, or the trials of a sweep, per user
  twotower baselines [key=value ...]    measure the models to beat on the same split
  twotower recommend [key=value ...]    recommend items to users with the model of a run
  twotower similar [key=value ...]      find items, or users, that the model holds to be alike
  twotower export [key=value ...]       write a model as vectors, ONNX or an index for search
  twotower register [key=value ...]     put the model of a run into MLflow's registry
  twotower promote [key=value ...]      move an alias to a model that is shown to be no worse
  twotower ui [key=value ...]           open the MLflow UI on the runs
  twotower sync [key=value ...]         deliver what runs logged while the store did not respond
  twotower --version                    print the installed version

`twotower <command> --help` lists its keys and choices.
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; exit with 1 and a message on stderr after a TwoTowerError."""
    command, *arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    # Read when torch is loaded. By default a thread that waits for another spins, and two runs that
    # share cores take several times as long as one after the other.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Of RePlay, where pyspark is installed.
    warnings.filterwarnings("ignore", "Cannot infer the eval type", UserWarning)
    if "LOCAL_RANK" in os.environ and command not in _COMMANDS:
        # Lightning starts the other processes of a run with Hydra's arguments only.
        command, arguments = "train", [command, *arguments]
    remember(arguments)
    with safe_output():
        _run(command, arguments)


def _run(command: str, arguments: list[str]) -> None:
    try:
        if command == "train":
            _train(arguments)
        elif command == "doctor":
            _doctor(arguments)
        elif command == "sweep" and arguments[:1] not in (["status"], ["-h"], ["--help"]):
            got = f"got {arguments[0]!r}; " if arguments else ""
            raise ConfigError(
                f"sweep: {got}must be `twotower sweep status`; `twotower train -m` runs a sweep"
            )
        elif command in _COMMANDS:
            _other(command, arguments)
        elif command in ("--version", "-V", "version"):
            print(f"twotower {version('twotower')}")
        elif command in ("-h", "--help", "help"):
            print(_HELP, end="")
        elif command == "-sc":
            _complete([command, *arguments])
        else:
            raise ConfigError(_no_command(command))
    except TwoTowerError as error:
        sys.exit(visible(f"twotower: {error}"))
    except KeyboardInterrupt:
        print("twotower: interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def _no_command(word: str) -> str:
    if "=" in word and not word.startswith("-"):
        meant = f"did you mean `{conf.command('train', word)}`? "
    elif close := get_close_matches(word, _COMMANDS, n=1):
        meant = f"did you mean `twotower {close[0]}`? "
    else:
        meant = ""
    return (
        f"no command {word!r}; {meant}Commands: {', '.join(_COMMANDS)}; "
        "`twotower --help` explains them"
    )


def _train(arguments: list[str]) -> None:
    parsed = conf.parse_flags(arguments, "train")
    if parsed.version:
        print(f"twotower {version('twotower')}")
    elif parsed.help:
        print(conf.describe(conf.Source.of_flags(parsed), parsed.overrides), end="")
    elif shown := conf.shown_flags(parsed):
        source = conf.Source.of_flags(parsed)
        overrides = conf.lenient(conf.with_baselines(parsed.overrides), source)
        _hydra([*source.flags_of_hydra, *shown, *overrides], source)
    else:
        _hydra(launch(parsed), conf.Source.of_flags(parsed))


def _complete(arguments: list[str]) -> None:
    """Complete commands; Hydra completes everything after them."""
    line = os.environ.get("COMP_LINE", "")
    program, _, typed = line.partition(" ")
    command, space, rest = typed.lstrip().partition(" ")
    if "COMP_LINE" in os.environ and not space:
        print(" ".join(name for name in _COMMANDS if name.startswith(command)))
    elif not space or command in ("train", "doctor"):
        os.environ["COMP_LINE"] = f"{program} {rest}"  # Hydra only knows overrides
        os.environ["COMP_POINT"] = str(len(os.environ["COMP_LINE"]))
        _hydra(arguments, conf.Source("train"))


def _hydra(arguments: list[str], source: conf.Source) -> None:
    sys.argv = [sys.argv[0], *arguments]
    with source.searched():
        _job()


@hydra.main(version_base="1.3", config_path=str(conf.CONF_DIR), config_name="train")
def _job(composed: DictConfig) -> float | None:
    """Run once; return the validation metric that sweepers maximise, never a test metric."""
    from twotower.reporting.links import where_to_look
    from twotower.reporting.run import print_result
    from twotower.reporting.run_page import report_run
    from twotower.tracking.base import UNDELIVERED
    from twotower.training import is_first_process

    who = "twotower" if is_first_process() else "twotower, a further process"
    if not is_first_process():
        logging.getLogger("twotower").setLevel(logging.ERROR)  # the first one logs the same
    # Relative paths start from the working directory of the command, even with hydra.job.chdir.
    os.chdir(HydraConfig.get().runtime.cwd)
    try:
        config = conf.plain(composed)
        _write_config(config)
        experiment = conf.build(config)
        if (spec := TrialSpec.load(Path(HydraConfig.get().runtime.output_dir))) is not None:
            return _trial(experiment, spec)
        name = run_name(list(HydraConfig.get().overrides.task), config)
        folder = Path(HydraConfig.get().runtime.output_dir)
        result = experiment.run(name, report_run, folder=folder)
        if is_first_process():
            opens = where_to_look(config, result.experiment_id, result.run_id)
            print_result(result, opens)
            if not experiment.tracking.is_delivered(result.run_id):
                sys.exit(UNDELIVERED)
    except TwoTowerError as error:
        if HydraConfig.get().mode != RunMode.MULTIRUN:
            sys.exit(visible(f"{who}: {error}"))
        # Printed by Hydra without a traceback, while the other trials run.
        raise CompactHydraException(visible(str(error))) from error
    metrics: dict[str, float] = result.metrics
    return metrics.get(experiment.evaluation.val_monitor)


def _write_config(config: dict[str, Any]) -> None:
    """Write the config without secrets; Hydra itself would write them."""
    text = yaml.safe_dump(mask_all(config), sort_keys=False, allow_unicode=True)
    Path(HydraConfig.get().runtime.output_dir, "config.yaml").write_text(text, encoding="utf-8")


def _trial(experiment: Any, spec: TrialSpec) -> float | None:
    """Run one trial of a sweep; its outcome is written to its folder."""
    from twotower.reporting.run_page import report_run
    from twotower.sweeping.run_trial import run_trial

    hydra_config = HydraConfig.get()
    monitor = experiment.evaluation.val_monitor
    watch = None
    if spec.study is not None:
        search = conf.build_part("hydra.sweeper.search", hydra_config.sweeper.search)
        watch = search.watch(Path(hydra_config.sweep.dir), spec.study["number"], monitor)
    folder = Path(hydra_config.runtime.output_dir)
    return run_trial(experiment, spec, folder, report_run, watch).metrics.get(monitor)


def _doctor(arguments: list[str]) -> None:
    from twotower.commands.doctor import HELP, run_doctor

    parsed = conf.parse_flags(arguments, "doctor")
    if parsed.help:
        print(HELP, end="")
    else:
        run_doctor(parsed.overrides, parsed.html, parsed.config_dir)


def _other(command: str, arguments: list[str]) -> None:
    if command == "sweep" and arguments[:1] == ["status"]:
        arguments = arguments[1:]
    parsed = conf.parse_flags(arguments, command)
    if parsed.help:
        print((conf.CONF_DIR / f"{command}.yaml").read_text(), end="")
        return
    built = conf.build(conf.compose(command, parsed.overrides, parsed.config_dir))
    if command != "sync" and (tracking := getattr(built, "tracking", None)) is not None:
        tracking.settle()  # runs whose process has died must not be shown as running
    built()
