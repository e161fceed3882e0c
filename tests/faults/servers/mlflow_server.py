"""An MLflow server on SQLite in a process group of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import requests


@dataclass
class Server:
    """Started, stalled, killed and started again on the same port."""

    store: str
    artifacts: Path
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @classmethod
    def in_folder(cls, folder: Path, migrated_db: Path) -> Server:
        folder.mkdir()
        shutil.copy(migrated_db, folder / "mlflow.db")
        return cls(
            f"sqlite:///{folder}/mlflow.db", folder / "artifacts", free_port(), folder / "log"
        )

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
        options = ["--backend-store-uri", self.store, "--workers", "1", "--port", str(self.port)]
        options += ["--artifacts-destination", str(self.artifacts)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *options],
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 120
        while not self._responds():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def _responds(self) -> bool:
        try:
            return requests.get(f"{self.uri}/health", timeout=5).ok
        except requests.RequestException:
            return False

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server and its workers."""
        assert self.process is not None
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
