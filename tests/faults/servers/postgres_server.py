"""A PostgreSQL server of Debian's or Ubuntu's package, on a cluster that is made for one test."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow_server import free_port

__all__ = ["PROGRAMS", "Postgres", "postgres"]

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), default=Path("/absent")).parent
# The server refuses to run as root.
_USER = "postgres" if hasattr(os, "getuid") and os.getuid() == 0 else None


@dataclass(frozen=True)
class Postgres:
    """Started, stopped as a crash would, and started again on the same port."""

    folder: Path
    port: int
    password: str

    @property
    def uri(self) -> str:
        return f"postgresql+psycopg2://mlflow:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        self._run("pg_ctl", "-w", "-D", "data", "-l", "log", "-o", options, "start")

    def crash(self) -> None:
        """Abort every session without a checkpoint."""
        self._run("pg_ctl", "-w", "-D", "data", "-m", "immediate", "stop")

    def create(self) -> None:
        (self.folder / "password").write_text(self.password)
        if _USER is not None:
            for path in (self.folder, self.folder / "password"):
                shutil.chown(path, _USER)
        asks = ("--auth=scram-sha-256", "--pwfile=password", "--username=mlflow")
        self._run("initdb", "-D", "data", "--encoding=UTF8", "--locale=C", "--no-sync", *asks)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(PROGRAMS / program), *arguments],
            cwd=self.folder,
            user=_USER,
            stdout=subprocess.DEVNULL,
            check=True,
        )


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Yield a running server with an empty database."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:  # pytest's own are private
        server = Postgres(Path(folder), free_port(), secrets.token_hex(8))
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.crash()
