"""Finds earlier runs and downloads their files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run as MlflowEntity
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from twotower.core.errors import RunNotFoundError
from twotower.core.secrets import mask
from twotower.tracking.address import resolve_uri, sqlite_path
from twotower.tracking.store import get_run, is_there, open_store
from twotower.tracking.tags import BASELINE_TAG, KEPT, MODEL_TAG, SWEEP_TAG

LATEST = "latest"
_FULL_ID = re.compile(r"[0-9a-f]{32}")
_ID_OR_PREFIX = re.compile(r"[0-9a-f]{1,32}")
_FINISHED = "attributes.status = 'FINISHED'"
_LAST_ENDED_FIRST = ["attributes.end_time DESC"]
_NEWEST_FIRST = ["attributes.start_time DESC"]
_OLDEST_FIRST = ["attributes.start_time ASC"]
_PAGE = 1000
_LISTED = 5


@dataclass(frozen=True)
class FoundRun:
    """A run that was tracked earlier. `started` is in local time."""

    id: str
    name: str
    experiment_id: str
    status: str
    started: datetime
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]


def find_run(uri: str, experiment_name: str, run: str) -> FoundRun:
    """Return a run by its id, the start of its id, its name, or `latest`.

    The newest of several runs with the same name is returned. `latest` is the run that FINISHED
    last; runs without a model are skipped, such as those of sweeps and baselines. A full id is
    looked up in every experiment, anything else in the named one.

    Raises:
        RunNotFoundError: There is no such run, or the start of an id is ambiguous. The message
            lists recent runs.
    """
    client = open_existing(uri)
    if _FULL_ID.fullmatch(run) and (known := get_run(client, run)):
        return found_run(known)
    experiment = client.get_experiment_by_name(experiment_name)
    if experiment is None:
        names = ", ".join(sorted(e.name for e in client.search_experiments()))
        raise RunNotFoundError(
            f"No experiment {experiment_name!r} at {mask(uri)} (tracking.experiment_name). "
            f"Experiments there: {names}."
        )
    if run == LATEST:
        done = _search_all(client, experiment.experiment_id, _FINISHED, _LAST_ENDED_FIRST)
        with_model = (each for each in done if _has_model(each))
        if (last := next(with_model, None)) is not None:
            return last
    for filter_text in _filters(run):
        found = _search(client, experiment.experiment_id, filter_text)
        if found and filter_text.startswith("attributes.run_id") and len(found) > 1:
            raise RunNotFoundError(f"run={run!r} is the start of several ids: {_listing(found)}")
        if found:
            return found_run(found[0])
    recent = _search(client, experiment.experiment_id, "")
    raise RunNotFoundError(
        f"No run={run!r} in experiment {experiment_name!r} at {mask(uri)}. "
        f"It must be an id, the start of one, a run's name, or {LATEST}. "
        f"Recent runs: {_listing(recent)}"
    )


def find_trials(uri: str, parent_id: str) -> list[FoundRun]:
    """Return the FINISHED trials of a sweep, by the id of its parent run, in order of start."""
    client = open_existing(uri)
    experiment_id = client.get_run(parent_id).info.experiment_id
    wanted = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent_id}' AND attributes.status = 'FINISHED'"
    return list(_search_all(client, experiment_id, wanted, _OLDEST_FIRST))


def find_sweep(uri: str, experiment_name: str, sweep: str) -> FoundRun:
    """Return the parent run of a sweep.

    Args:
        sweep: The name of the sweep's folder or its start (the tag `sweep.id`), a run as `find_run`
            takes it, or `latest`, the newest sweep of any status.

    Raises:
        RunNotFoundError: There is no such run, or it is not the parent of a sweep.
    """
    client = open_existing(uri)
    experiment = client.get_experiment_by_name(experiment_name)
    if experiment is not None:
        start = "" if sweep == LATEST else sweep
        tagged = f"tags.`{SWEEP_TAG}` LIKE '%'"
        for run in _search_all(client, experiment.experiment_id, tagged, _NEWEST_FIRST):
            if _is_sweep(run) and run.tags[SWEEP_TAG].startswith(start):
                return run
    if sweep == LATEST:
        raise RunNotFoundError(
            f"No sweep yet in experiment {experiment_name!r} at {mask(uri)} "
            "(tracking.experiment_name). `twotower train -m` starts one."
        )
    found = find_run(uri, experiment_name, sweep)
    if _is_sweep(found):
        return found
    raise RunNotFoundError(f"sweep={sweep!r} is run {found.id} ({found.name}), {_no_sweep(found)}")


def _has_model(run: FoundRun) -> bool:
    others = {SWEEP_TAG, BASELINE_TAG} & run.tags.keys()
    return not others and run.tags.get(MODEL_TAG, KEPT) == KEPT


def _is_sweep(run: FoundRun) -> bool:
    return SWEEP_TAG in run.tags and MLFLOW_PARENT_RUN_ID not in run.tags


def _no_sweep(run: FoundRun) -> str:
    if parent := run.tags.get(MLFLOW_PARENT_RUN_ID):
        return f"a trial of sweep {parent}."
    return f"which is not a sweep: it has no tag {SWEEP_TAG}. `twotower train -m` starts one."


def download(uri: str, run_id: str, artifact_path: str, destination: Path | None = None) -> Path:
    """Return the local path of a file or folder of a run, downloaded if the store is remote.

    Args:
        artifact_path: The file or folder in the run.
        destination: Where to copy it. None may return the store's own file, which must not be
            changed.

    Raises:
        RunNotFoundError: The run has no such artifact.
    """
    client = open_existing(uri)
    cause: Exception | None = None
    try:
        target = None if destination is None else str(destination)
        path = Path(client.download_artifacts(run_id, artifact_path, target))
        if path.exists():
            return path
    except (MlflowException, OSError) as error:
        cause = error
    folder = artifact_path.rpartition("/")[0]
    try:
        names = [artifact.path for artifact in client.list_artifacts(run_id, folder or None)]
        listed = ", ".join(names) or "nothing"
    except MlflowException as error:
        listed = f"unknown ({mask(str(error))})"
    raise RunNotFoundError(
        f"Run {run_id} at {mask(uri)} has no {artifact_path!r}. "
        f"In {folder or 'its top folder'}: {listed}."
    ) from cause


def open_existing(uri: str) -> MlflowClient:
    """Return a client of an existing store. Raise RunNotFoundError if there is none."""
    resolved = resolve_uri(uri)
    path = sqlite_path(resolved)
    if path is not None and not is_there(path):
        raise RunNotFoundError(
            f"No runs yet: there is no {path} (tracking.uri). Run `twotower train` first, or point "
            "output_dir or tracking.uri to where the runs are."
        )
    return open_store(resolved)


def _filters(run: str) -> list[str]:
    """Return search filters in the order in which they are tried."""
    by_id = [f"attributes.run_id LIKE '{run}%'"] if _ID_OR_PREFIX.fullmatch(run) else []
    quote = '"' if "'" in run else "'"
    by_name = [f"attributes.run_name = {quote}{run}{quote}"] if quote not in run else []
    return by_id + by_name


def _search(client: MlflowClient, experiment_id: str, filter_text: str) -> list[MlflowEntity]:
    return list(
        client.search_runs(
            [experiment_id], filter_text, ViewType.ACTIVE_ONLY, _LISTED, _NEWEST_FIRST
        )
    )


def _search_all(
    client: MlflowClient, experiment_id: str, filter_text: str, order: list[str]
) -> Iterator[FoundRun]:
    """Yield every matching run, fetched page by page."""
    token = None
    while True:
        page = client.search_runs(
            [experiment_id], filter_text, ViewType.ACTIVE_ONLY, _PAGE, order, token
        )
        yield from map(found_run, page)
        token = page.token
        if not token:
            return


def found_run(run: MlflowEntity) -> FoundRun:
    """Return the run of MLflow's own type as one of ours."""
    return FoundRun(
        id=run.info.run_id,
        name=run.info.run_name,
        experiment_id=run.info.experiment_id,
        status=run.info.status,
        started=datetime.fromtimestamp(run.info.start_time / 1000),
        params=dict(run.data.params),
        metrics=dict(run.data.metrics),
        tags=dict(run.data.tags),
    )


def _listing(runs: list[MlflowEntity]) -> str:
    if not runs:
        return "none."
    found = [found_run(run) for run in runs]
    return "".join(f"\n  {r.id}  {r.name}  {r.status}  {r.started:%Y-%m-%d %H:%M}" for r in found)
