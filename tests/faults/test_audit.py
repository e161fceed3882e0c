"""`make audit` passes only if a source of advisories has answered for every package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from fake_http import answering

ROOT = Path(__file__).parents[2]
INSTALLED = ".venv/.installed-dev"
VULNERABLE = b'{"vulns": [{"id": "X-1", "summary": "bad", "affected": []}]}'

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform == "win32" or shutil.which("make") is None, reason="needs make and a shell"
    ),
]


def audit(tmp_path: Path, *settings: str) -> int:
    (tmp_path / "pinned.txt").write_text("requests==2.31.0\n")
    given = [f"AUDITED={tmp_path}/pinned.txt", f"BIN={Path(sys.executable).parent}", *settings]
    command: Sequence[str] = ["make", "-o", INSTALLED, "VENV=.venv", "audit", *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    return done.returncode


@pytest.mark.parametrize(
    ("status", "body", "passes"),
    [
        (200, b"{}", True),
        (200, VULNERABLE, False),
        (200, b"<html>please log in</html>", False),
        (404, b"", False),
        (503, b"{}", False),
    ],
)
def test_answers_of_a_source(tmp_path: Path, status: int, body: bytes, passes: bool) -> None:
    with answering(status, body) as uri:
        assert (audit(tmp_path, f"ARGS=--osv-url {uri}/v1/query") == 0) == passes


def test_sources_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # nothing listens on port 1
    for source in ("osv", "pypi"):
        assert audit(tmp_path, f"AUDIT_SOURCE={source}") != 0
