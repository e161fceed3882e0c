"""Download published files and verify their checksums.

pooch would replace `Archive._download` alone, some fifteen lines: it resumes downloads no more than
this does, it logs to the terminal on its own, and the copies placed by hand, the order of sources
and the messages stay here in any case.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from tqdm import tqdm

from twotower.core.errors import DownloadError

_READ_TIMEOUT_S = 60.0  # between two pieces of a body that is already coming
_PIECE = 1 << 20


class SourceError(Exception):
    """A source is unavailable, for the reason in the message; the next source is tried."""


@dataclass(frozen=True)
class Archive:
    """A published file.

    url: its address; the last part of the path is the name of the file.
    md5: published checksum (hex); None if none is published, or the file changes over time.
    connect_timeout_s: seconds to wait for the server to answer.
    folder: below `downloads`, for files whose name alone is not unique.
    """

    url: str
    md5: str | None
    connect_timeout_s: float
    folder: str = ""

    @property
    def name(self) -> str:
        return Path(urlsplit(self.url).path).name

    @property
    def stem(self) -> str:
        return Path(self.name).stem

    def by_hand(self, root: Path) -> Path:
        """Return where a manually downloaded copy is expected."""
        return root / "downloads" / self.folder / self.name

    def get(self, root: Path, scratch: Path) -> tuple[Path, str]:
        """Return the file (placed by hand, else downloaded to `scratch`) and its origin.

        Raises:
            DownloadError: the file placed by hand is not the published one.
            SourceError: the server cannot deliver it.
        """
        placed = self.by_hand(root)
        if placed.exists():
            wrong = self._checksum_complaint(placed)
            if wrong:
                raise DownloadError(f"{placed}: {wrong}; replace or remove the file")
            return placed, f"read from {placed}"
        target = scratch / self.name
        self._download(target)
        return target, f"fetched from {self.url}"

    def _download(self, target: Path) -> None:
        timeout = (self.connect_timeout_s, _READ_TIMEOUT_S)
        try:
            with requests.get(self.url, stream=True, timeout=timeout) as response:
                response.raise_for_status()
                size = int(response.headers.get("Content-Length", 0)) or None
                with (
                    target.open("wb") as file,
                    # disable=None: no bar where the output is not a terminal
                    tqdm(
                        total=size, desc=self.name, unit="B", unit_scale=True, disable=None
                    ) as bar,
                ):
                    for piece in response.iter_content(_PIECE):
                        file.write(piece)
                        bar.update(len(piece))
        except requests.RequestException as error:
            raise SourceError(f"{_host(self.url)} {_in_words(error)}") from error
        wrong = self._checksum_complaint(target)
        if wrong:
            raise SourceError(f"the file at {self.url} was refused: {wrong}")

    def _checksum_complaint(self, path: Path) -> str | None:
        if self.md5 is None:
            return None
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "md5").hexdigest()
        return (
            None if found == self.md5 else f"its md5 is {found}, expected {self.md5} (dataset.md5)"
        )


def pip_download(requirement: str, folder: Path) -> Path:
    """Fetch the wheel of `requirement` into `folder` through pip, installing nothing.

    Uses whatever index, proxy and cache pip is set up for. Raises SourceError.
    """
    command = [sys.executable, "-m", "pip", "download", requirement, "--no-deps", "--quiet"]
    command += ["--only-binary=:all:", "--retries=1", "--disable-pip-version-check"]
    done = subprocess.run([*command, f"--dest={folder}"], capture_output=True, text=True)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        lines = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise SourceError(f"pip could not download the wheel {requirement} ({lines[-1]})")
    return wheels[0]


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _in_words(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return "could not be reached"
    return f"could not be read ({type(error).__name__})"
