"""Checks before a run that an experiment's files can be written."""

from __future__ import annotations

from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from twotower.core.errors import ConfigError
from twotower.core.secrets import mask
from twotower.core.writable import require_writable_folder
from twotower.tracking.address import is_server

__all__ = ["check_artifacts"]

_KEY = "tracking.artifact_location"
_SERVED = ("mlflow-artifacts", "http", "https", "dbfs", "databricks")
# The module that MLflow imports when it writes, and the package that provides it.
_DRIVERS = {
    "s3": ("boto3", "boto3"),
    "r2": ("boto3", "boto3"),
    "b2": ("boto3", "boto3"),
    "gs": ("google.cloud.storage", "google-cloud-storage"),
    "wasb": ("azure.storage.blob", "azure-storage-blob"),
    "wasbs": ("azure.storage.blob", "azure-storage-blob"),
    "abfss": ("azure.storage.filedatalake", "azure-storage-file-datalake"),
    "sftp": ("pysftp", "pysftp"),
    "hdfs": ("pyarrow", "pyarrow"),
    "viewfs": ("pyarrow", "pyarrow"),
    "ftp": ("ftplib", "python"),
}


def check_artifacts(location: str | None, uri: str) -> None:
    """Raise ConfigError if a folder cannot be written or a driver is missing.

    Args:
        location: The experiment's artifact location; None where the store chooses it.
        uri: The store.
    """
    if location is None:
        return
    scheme = urlsplit(location).scheme
    if scheme in ("", "file"):
        path = unquote(urlsplit(location).path) if scheme else location
        require_writable_folder(_KEY, path)
    elif scheme in _DRIVERS:
        module, package = _DRIVERS[scheme]
        if not _is_there(module):
            raise ConfigError(
                f"{_KEY}: got {mask(location)!r}, and {scheme}:// needs {package}, which is not "
                f"installed: pip install {package}"
            )
    elif scheme == "mlflow-artifacts" and not is_server(uri):
        raise ConfigError(
            f"tracking.uri={mask(uri)}: the experiment keeps its files on a tracking server "
            f"({location}), which a database alone does not have; set tracking.uri to the address "
            "of the server, or choose another tracking.experiment_name"
        )
    elif scheme not in _SERVED:
        _check_plugin(location)


def _check_plugin(location: str) -> None:
    """Raise ConfigError unless a plugin of MLflow handles the address."""
    try:
        get_artifact_repository(location)
    except (MlflowException, ImportError) as error:
        raise ConfigError(
            f"{_KEY}: got {mask(location)!r}, an address that MLflow cannot write to; must be a "
            f"folder or one of {', '.join(f'{known}://' for known in sorted(_DRIVERS))}"
        ) from error


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the parent package is missing
        return False
