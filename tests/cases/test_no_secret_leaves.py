"""Secrets in every key that can hold one are searched for in all that a run writes and prints."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from case_runner import Case, Done

from twotower.core import secrets

PASSWORD = "hunter2-Zq9"  # in each of the values below


@pytest.fixture
def place(tmp_path: Path, migrated_db: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """With a log below a folder whose name holds a token, as the path of a mounted share may."""
    monkeypatch.setattr(secrets, "_known", set())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    shutil.copy(migrated_db, tmp_path / "out" / "mlflow.db")
    for name in ("a", "b"):
        folder = tmp_path / f"data?token={PASSWORD}{name}"
        folder.mkdir()
        rows = [
            f"{u},{(u * 7 + i * 3) % 11},{1600000000 + i * 86400}"
            for u in range(12)
            for i in range(8)
        ]
        (folder / "log.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]))
    return Case(tmp_path)


def leaks(place: Case, done: Done) -> list[str]:
    """Where the secret is: the files that hold or are called by it, but for what was given."""
    found = ["printed"] if PASSWORD in done.text else []
    for path in place.folder.rglob("*"):
        name = str(path.relative_to(place.folder))
        if name.startswith("data?"):
            continue
        if PASSWORD in name or (path.is_file() and PASSWORD.encode() in path.read_bytes()):
            found.append(name)
    return found


def path_of(name: str) -> str:
    return f"'data?token={PASSWORD}{name}/log.csv'"


# Each holds it in a place of its own; together they are a run.
PLANTED = (
    f"dataset.path={path_of('a')}",
    f"run_name='http://me:{PASSWORD}1@host/x'",
    f"+hydra.job.env_set.MY_API_KEY={PASSWORD}3",
    "+hydra.job.env_set.OTHER=${oc.env:PLANTED}",
    "tracking.experiment_name=${oc.env:EXPERIMENT}",
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", f"{PASSWORD}4")
    monkeypatch.setenv("MY_TOKEN", f"{PASSWORD}5")
    monkeypatch.setenv("EXPERIMENT", "team-1")


def test_nothing_of_a_run_holds_a_secret(place: Case) -> None:
    done = place.train(*PLANTED)
    assert leaks(place, done) == []
    (config,) = (place.folder / "out" / "runs").rglob("config.yaml")
    text = config.read_text()
    assert "path: data?token=***" in text
    assert "experiment_name: team-1" in text
    assert "batch_size: 2048" in text


def test_nothing_of_a_run_named_by_the_environment_holds_a_secret(place: Case) -> None:
    done = place.train(f"dataset.path={path_of('a')}", "run_name=${oc.env:MY_TOKEN}")
    assert leaks(place, done) == []


@pytest.mark.slow
@pytest.mark.parametrize("sweeper", ["grid", "optuna"])
def test_nothing_of_a_sweep_holds_a_secret_and_it_resumes(place: Case, sweeper: str) -> None:
    optuna = ["hydra/sweeper=optuna", "hydra.sweeper.search.n_trials=2"]
    command = [
        *(o for o in PLANTED if not o.startswith("dataset.path")),
        f"dataset.path={path_of('a')},{path_of('b')}",
        *(optuna if sweeper == "optuna" else []),
    ]
    done = place.sweep(*command)
    assert leaks(place, done) == []
    assert "2 trials" in done.text or sweeper == "optuna"
    (record,) = (place.folder / "out" / "sweeps").glob("*/sweep.json")
    assert "***" in record.read_text()
    again = place.sweep(*command)
    assert leaks(place, again) == []
    if sweeper == "grid":
        assert "2 of 2 trials are done already" in again.text


REFUSED = [
    f"dataset.path='no?token={PASSWORD}'",
    f"tracking.uri=http://me:{PASSWORD}@127.0.0.1:9",
    f"tracking.uri=ftp://me:{PASSWORD}@host",
    f"tracking.uri='http://127.0.0.1:9/?token={PASSWORD}'",
    f"tracking.artifact_location=s3://key:{PASSWORD}@bucket",
    f"tracking.experiment_name='http://me:{PASSWORD}@host'",
    "tracking.experiment_name=${oc.env:MY_TOKEN}",
    f"++dataset.token={PASSWORD}",
    f"++dataset.storage_options.secret={PASSWORD}",
    f"++trainer.lightning.api_key={PASSWORD}",
    f"++trainer.lightning.default_root_dir='x?sig={PASSWORD}'",
    f"tower.emb_dim=http://me:{PASSWORD}@host",
    "tower.emb_dim=${oc.env:PLANTED}",
    f"loss=http://me:{PASSWORD}@host",
    f"++password={PASSWORD}",
    f"hydra.output_subdir='{PASSWORD}?token={PASSWORD}'",
]


@pytest.mark.parametrize(
    ("kind", "override"),
    # A sweep is refused as a run is, but for what only its start finds out.
    [*(("run", override) for override in REFUSED), *(("sweep", o) for o in REFUSED[:3])],
)
def test_nothing_of_what_fails_holds_a_secret(place: Case, kind: str, override: str) -> None:
    path = [] if override.startswith("dataset.path") else [f"dataset.path={path_of('a')}"]
    if kind == "run":
        done = place.train(*path, override, code=1)
    else:
        done = place.sweep(*path, override, "seed=0,1", code=1)
    assert leaks(place, done) == []
    assert "***" in done.text or "api_key" in override


@pytest.mark.parametrize("kind", ["run", "sweep"])
def test_nothing_of_a_run_that_fails_while_it_is_tracked_holds_a_secret(
    place: Case, kind: str
) -> None:
    call = place.train if kind == "run" else place.sweep
    done = call(*PLANTED, "split.n=100", *(["seed=0,1"] if kind == "sweep" else []), code=1)
    assert leaks(place, done) == []
