"""Sweeps over several processes: a small Hydra app, launched for real by each launcher."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import joblib  # type: ignore[import-untyped]
import pytest

from hydra_plugins.twotower_ray_launcher._ray import LauncherError, start, thread_limits

PRESETS = Path(__file__).parents[2] / "conf" / "hydra" / "launcher"
pytestmark = pytest.mark.slow

LIMIT = 300  # seconds of a sweep, each worker of which imports torch; a quiet machine takes 20
LAUNCHERS = ("joblib", "ray", "slurm", "submitit_local", "submitit_slurm")

APP = """
import json, os, pathlib, signal, sys, time
import hydra
from hydra.core.hydra_config import HydraConfig


class NeedsTwo(Exception):
    # Pickled, an exception is rebuilt from its args: here one of two.
    def __init__(self, name, value):
        super().__init__(f"{name} is {value}")


def record(name, **values):
    path = pathlib.Path("records") / name  # relative: every worker starts where the sweep did
    path.with_suffix(".new").write_text(json.dumps(values))
    path.with_suffix(".new").rename(path)


@hydra.main(version_base="1.3", config_path="conf", config_name="app")
def main(cfg):
    if cfg.x == cfg.fails:
        raise ValueError(f"x must not be {cfg.x}")
    if cfg.x == cfg.needs_two:
        raise NeedsTwo("x", cfg.x)
    if cfg.x == cfg.dies:
        os._exit(3)
    if cfg.threads:
        import torch
    record(
        f"x={cfg.x}",
        pid=os.getpid(),
        output_dir=HydraConfig.get().runtime.output_dir,
        blocked=[int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
        threads=torch.get_num_threads() if cfg.threads else None,
    )
    end = time.monotonic() + cfg.sleep
    try:
        while time.monotonic() < end:
            time.sleep(0.02)
    except KeyboardInterrupt:
        time.sleep(0.5)  # a run is closed at the tracking server
        record(f"closed x={cfg.x}")
        raise
    return cfg.x * 10


def keep_results():
    from hydra_plugins.twotower_ray_launcher import _sweep

    launch = _sweep.launch

    def kept(*arguments):
        results = launch(*arguments)
        errors = [r._return_value if r.status.name == "FAILED" else None for r in results]
        record(
            "results",
            statuses=[r.status.name for r in results],
            overrides=[r.overrides[0] for r in results],
            values=[r._return_value if e is None else None for r, e in zip(results, errors)],
            errors=[e and f"{type(e).__name__}: {e}" for e in errors],
            notes=[getattr(e, "__notes__", [""])[0] for e in errors],
        )
        return results

    _sweep.launch = kept


if __name__ == "__main__":
    if "hydra/launcher=ray" in sys.argv:
        keep_results()
    main()
"""

CONFIG = """
x: 0
fails: null
needs_two: null
dies: null
threads: false
sleep: 0
hydra:
  job: {name: app, chdir: false}
  sweep:
    dir: sweeps/${now:%H-%M-%S-%f}
    subdir: ${hydra.job.num}
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The folder of the app, with the presets of this project as the app's own."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "records").mkdir()
    shutil.copytree(PRESETS, tmp_path / "conf" / "hydra" / "launcher")
    (tmp_path / "conf" / "app.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def start_app(app: Path) -> Iterator[Start]:
    """Starts the app as a terminal would: the leader of a process group, and ends the group."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **env: str) -> subprocess.Popen[str]:
        keep = {key: value for key, value in os.environ.items() if not key.endswith("_THREADS")}
        # Ray keeps a token in the home directory.
        keep |= {"HOME": str(app), "COLUMNS": "200", **env}
        process = subprocess.Popen(
            [sys.executable, "-W", "error:.*validated against ConfigStore", "app.py", *arguments],
            cwd=app,
            env=keep,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # whoever the test left running
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def records(app: Path) -> dict[str, dict[str, Any]]:
    """What the trials have written, by file name."""
    files = [path for path in (app / "records").iterdir() if path.suffix != ".new"]
    return {path.name: json.loads(path.read_text()) for path in sorted(files)}


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"still waiting for {what}"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def check_others_ran(app: Path, process: subprocess.Popen[str], threads: int | None) -> None:
    """Trials x=1 and x=3 ran and x=2 failed: in order, each below the one folder of the sweep.

    `threads`: those of torch in each trial; None where the trials do not import it.
    """
    output, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 1, output
    assert "x must not be 2" in output
    trials = records(app)
    assert {"x=1", "x=3"} <= set(trials)
    assert "x=2" not in trials
    (sweep,) = (app / "sweeps").iterdir()
    assert [trials[x]["output_dir"] for x in ("x=1", "x=3")] == [str(sweep / "0"), str(sweep / "2")]
    assert [trials[x]["threads"] for x in ("x=1", "x=3")] == [threads, threads]


def test_there_is_a_launcher_for_each_preset() -> None:
    presets = {path.stem for path in PRESETS.glob("*.yaml")}
    assert presets
    assert presets <= set(LAUNCHERS)


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_the_command_line_knows_the_launcher(launcher: str, start_app: Start) -> None:
    process = start_app(f"hydra/launcher={launcher}", "--cfg", "hydra", "-p", "hydra.launcher")
    output, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, output
    assert "Warning" not in output
    assert "_target_: hydra_plugins." in output
    if "submitit" in output:
        assert "submitit_folder: ${hydra.sweep.dir}/" in output


def test_joblib_runs_the_others_and_shares_the_threads(app: Path, start_app: Start) -> None:
    process = start_app(
        "-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "x=1,2,3", "fails=2",
        "threads=true",
    )  # fmt: skip
    check_others_ran(app, process, threads=max(1, joblib.cpu_count() // 2))


def test_joblib_leaves_no_worker_after_an_interrupt(app: Path, start_app: Start) -> None:
    process = start_app(
        "-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "x=1,2,3,4", "sleep=60"
    )
    wait_for(lambda: len(records(app)) == 2, "two trials")
    workers = [trial["pid"] for trial in records(app).values()]
    process.send_signal(signal.SIGINT)  # to the parent alone; a terminal signals the workers too
    process.communicate(timeout=20)
    assert process.returncode != 0
    wait_for(lambda: not any(map(is_running, workers)), "the workers' end", 5)
    assert len(records(app)) == 2


def test_submitit_local_runs_the_others(app: Path, start_app: Start) -> None:
    process = start_app("-m", "hydra/launcher=submitit_local", "x=1,2,3", "fails=2")
    check_others_ran(app, process, threads=None)
    (sweep,) = (app / "sweeps").iterdir()
    assert any((sweep / ".submitit").iterdir())


# Slurm's commands as far as submitit uses them, for a cluster of this machine.
SLURM = {
    "sbatch": """#!/bin/sh
for script; do :; done
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$script")
for task in $(seq 0 "$last"); do
    SLURM_JOB_ID=$((7 + task)) SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$task SLURM_NTASKS=1 \
    SLURM_JOB_NUM_NODES=1 SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0 \
    bash "$script" > /dev/null 2>&1 &
done
echo "Submitted batch job 7"
""",
    "srun": """#!/bin/sh
while [ "${1#-}" != "$1" ] || [ "${1%python*}" = "$1" ]; do shift; done
exec "$@"
""",
    "sacct": "#!/bin/sh\necho 'JobID|State|NodeList'\n",
}


def test_the_slurm_preset_runs_a_job_array_and_shares_the_threads(
    app: Path, start_app: Start
) -> None:
    commands = app / "bin"
    commands.mkdir()
    for name, text in SLURM.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    process = start_app(
        "-m", "hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1",
        "hydra.launcher.array_parallelism=2", "x=1,2,3", "fails=2", "threads=true",
        PATH=f"{commands}{os.pathsep}{os.environ['PATH']}",
    )  # fmt: skip
    check_others_ran(app, process, threads=1)
    (sweep,) = (app / "sweeps").iterdir()
    script = next((sweep / ".submitit").rglob("*submission.sh"))
    lines = script.read_text().splitlines()
    # Three trials, two at once at most, two hours each.
    assert {"#SBATCH --array=0-2%2", "#SBATCH --time=120", "#SBATCH --mem=16GB"} <= set(lines)
    assert {"#SBATCH --cpus-per-task=1", "export OMP_NUM_THREADS=1"} <= set(lines)
    assert not any("gpu" in line or "partition" in line for line in lines)


def test_without_ray_the_error_names_the_extra(app: Path, start_app: Start) -> None:
    (app / "no_ray" / "ray").mkdir(parents=True)
    (app / "no_ray" / "ray" / "__init__.py").write_text("raise ModuleNotFoundError('no ray')")
    path = f"{app / 'no_ray'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    process = start_app("-m", "hydra/launcher=ray", "x=1,2", PYTHONPATH=path)
    output, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 1
    assert "pip install 'twotower[ray]'" in output
    assert "Traceback" not in output


def test_ray_is_not_imported_when_hydra_looks_for_plugins() -> None:
    code = (
        "import sys; from hydra.core.plugins import Plugins; "
        "names = [found.__name__ for found in Plugins.instance().discover()]; "
        "print('RayLauncher' in names, 'ray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


@pytest.mark.parametrize(("num_cpus", "threads"), [(0.5, "1"), (1, "1"), (2.9, "2"), (4, "4")])
def test_a_trial_has_a_thread_for_each_whole_core(num_cpus: float, threads: str) -> None:
    limits = thread_limits(num_cpus)
    assert {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"} <= set(limits)
    assert set(limits.values()) == {threads}


class RayStandIn(SimpleNamespace):
    """Ray as far as `start` knows it: a machine of two cores and no GPU."""

    def __init__(self) -> None:
        super().__init__(asked=None)

    def is_initialized(self) -> bool:
        return self.asked is not None

    def init(self, **asked: Any) -> None:
        self.asked = asked

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}


@pytest.mark.parametrize(
    ("cpus", "gpus", "message"),
    [(3, 0, "num_cpus: got 3 .* has 2"), (1, 0.5, "num_gpus: got 0.5 .* has 0")],
)
def test_a_trial_that_never_fits_this_machine_is_refused(
    cpus: float, gpus: float, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    with pytest.raises(LauncherError, match=rf"^hydra\.launcher\.{message}"):
        start(RayStandIn(), None, {"CPU": cpus, "GPU": gpus}, {})


def test_a_cluster_may_grow_and_is_joined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray = RayStandIn()
    start(ray, "auto", {"CPU": 64, "GPU": 8}, {"namespace": "me"})
    assert ray.asked == {"address": "auto", "namespace": "me"}
    start(ray, "other", {"CPU": 64, "GPU": 8}, {})  # the sweeper's next batch
    assert ray.asked == {"address": "auto", "namespace": "me"}


def test_ray_returns_every_trial_in_order_whatever_becomes_of_one(
    app: Path, start_app: Start
) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'twotower[ray]'")
    process = start_app(
        "-m", "hydra/launcher=ray", "hydra.launcher.init.num_cpus=2", "x=1,2,3,4,5", "fails=2",
        "needs_two=4", "dies=5", "threads=true",
    )  # fmt: skip
    check_others_ran(app, process, threads=1)
    results = records(app)["results"]
    assert results["overrides"] == ["x=1", "x=2", "x=3", "x=4", "x=5"]
    assert results["statuses"] == ["COMPLETED", "FAILED", "COMPLETED", "FAILED", "FAILED"]
    assert results["values"] == [10, None, 30, None, None]
    assert results["errors"][1] == "ValueError: x must not be 2"
    assert "app.py" in results["notes"][1]  # where it was raised, in the worker
    assert results["errors"][3] == "RuntimeError: NeedsTwo: x is 4"
    assert results["errors"][4].startswith("WorkerCrashedError")


def test_ray_gives_each_trial_a_process_where_asked(app: Path, start_app: Start) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'twotower[ray]'")
    # On one core the second trial would take the worker of the first.
    process = start_app(
        "-m", "hydra/launcher=ray", "hydra.launcher.init.num_cpus=1", "x=1,2",
        "hydra.launcher.options.max_calls=1",
    )  # fmt: skip
    output, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, output
    trials = records(app)
    assert trials["x=1"]["pid"] != trials["x=2"]["pid"]


def test_ray_lets_trials_close_their_runs_on_an_interrupt(app: Path, start_app: Start) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'twotower[ray]'")
    process = start_app(
        "-m", "hydra/launcher=ray", "hydra.launcher.init.num_cpus=2", "x=1,2,3,4", "sleep=60"
    )
    wait_for(lambda: len(records(app)) == 2, "two trials")
    names, workers = set(records(app)), [trial["pid"] for trial in records(app).values()]
    # An interrupt that the tracking holds back while it writes must not be lost afterwards.
    assert [trial["blocked"] for trial in records(app).values()] == [[], []]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode != 0
    wait_for(lambda: not any(map(is_running, workers)), "the workers' end", 5)
    assert set(records(app)) == names | {f"closed {name}" for name in names}
