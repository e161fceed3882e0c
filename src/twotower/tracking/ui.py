"""The MLflow UI on this machine, opened at the charts of all runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from twotower.core.errors import ConfigError
from twotower.core.secrets import mask
from twotower.tracking.address import (
    default_artifacts,
    is_server,
    resolve_artifact_location,
    resolve_uri,
)
from twotower.tracking.chart_view import OVERVIEW, knows_views
from twotower.tracking.links import charts_url, view_url
from twotower.tracking.load import open_existing
from twotower.tracking.locks import store_lock
from twotower.tracking.overview import refresh_overview
from twotower.tracking.server import store_errors
from twotower.tracking.signals import terminate_on_sigterm

LOOPBACK = "127.0.0.1"
_START_SECONDS = 60
_STOP_SECONDS = 10
_POLL_SECONDS = 0.1


def serve(
    *,
    uri: str,
    experiment_name: str,
    artifact_location: str | None,
    metric: str,
    host: str,
    port: int,
    open_browser: bool,
    report: Callable[[str], None] = print,
) -> None:
    """Serve the UI of the store at `uri` until Ctrl-C or SIGTERM. For a tracking server, only
    report its address.

    Args:
        uri: The store.
        experiment_name: The experiment to open.
        artifact_location: Where the store keeps its files.
        metric: The metric to order runs by.
        host: The interface to listen on.
        port: The port to listen on.
        open_browser: Whether to open a browser.
        report: Called with the address of the charts once the UI responds.

    Raises:
        RunNotFoundError: Nothing has been tracked there yet.
        ConfigError: The port is in use, or the UI does not start.
    """
    landing = _landing(uri, experiment_name, metric)
    if is_server(uri):
        _show(landing(uri), report, open_browser=open_browser)
        return
    with suppress(KeyboardInterrupt), terminate_on_sigterm():
        with running_ui(uri, artifact_location, host=host, port=port) as (base, process):
            _show(landing(base), report, open_browser=open_browser)
            while process.poll() is None:  # not wait(): Polars' handler of Ctrl-C restarts it
                time.sleep(_POLL_SECONDS)
        raise ConfigError(f"The MLflow UI stopped unexpectedly (exit code {process.returncode}).")


@contextmanager
def running_ui(
    uri: str, artifact_location: str | None, *, host: str, port: int
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Yield the address and the process of a UI that responds; stop it with the context."""
    _check_free(host, port)
    base = f"http://{host}:{port}"
    with TemporaryDirectory() as folder:
        log = Path(folder, "server.log")
        process = _start(resolve_uri(uri), artifact_location, host, port, log)
        try:
            _wait_until_it_answers(base, process, log)
            yield base, process
        finally:
            _stop(process)


def _show(address: str, report: Callable[[str], None], *, open_browser: bool) -> None:
    report(address)
    if open_browser:
        webbrowser.open(address)


def _landing(uri: str, experiment_name: str, metric: str) -> Callable[[str], str]:
    """Return a function from the UI's address to the link that it opens: all runs by `metric`."""
    client = open_existing(uri)
    with store_errors(uri):
        experiment = client.get_experiment_by_name(experiment_name)
        if experiment is None:
            return lambda base: base
        found = experiment.experiment_id
        if not knows_views(uri if is_server(uri) else None):
            return lambda base: charts_url(base, found, metric)
        with store_lock(client.tracking_uri):
            refresh_overview(client, found, metric)
    return lambda base: view_url(base, found, OVERVIEW)


def _start(
    uri: str, artifact_location: str | None, host: str, port: int, log: Path
) -> subprocess.Popen[bytes]:
    """Start the UI in its own session: Ctrl-C does not reach it, and its group can be ended."""
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    command += ["--host", host, "--port", str(port)]
    location = resolve_artifact_location(artifact_location, uri) or default_artifacts(uri)
    if location is not None:
        command += ["--artifacts-destination", location]
    environment = {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": uri,  # a command line would expose its password
        # Job execution would start seven consumers (2.6 GB) that twotower does not use.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_until_it_answers(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(requests.RequestException):
            if requests.get(f"{base}/health", timeout=1).ok:
                return
        time.sleep(_POLL_SECONDS)
    raise ConfigError(f"The MLflow UI did not start:\n{mask(log.read_text(errors='replace'))}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)  # whatever is left of the group
    process.wait()


def _check_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"port={port} of {host} cannot be used ({error.strerror}). If another program uses "
                f"it, choose another port, such as port={port + 1}."
            ) from error
