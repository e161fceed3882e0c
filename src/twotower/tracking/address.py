"""The addresses that `tracking.uri` may have, and where they point."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from twotower.core.errors import ConfigError
from twotower.core.secrets import mask

_SERVERS = ("http", "https")
_DATABASES = ("postgresql", "mysql", "mssql")
_SQLITE = "sqlite:///"


def resolve_uri(uri: str) -> str:
    """Return `uri` with the path of a SQLite file made absolute.

    Raises:
        ConfigError: MLflow cannot track to `uri`, or only with its retired file store.
    """
    scheme = uri.partition(":")[0].partition("+")[0]
    if uri.startswith(_SQLITE):
        path, question, options = uri.removeprefix(_SQLITE).partition("?")
        if "%" in str(Path(path).absolute()):  # read as an escape by some versions of SQLAlchemy
            raise ConfigError(f"tracking.uri={uri!r}: the path must not contain '%'.")
        if path not in ("", ":memory:"):
            return f"{_SQLITE}{_home(path).absolute()}{question}{options}"
    elif scheme == "databricks" or (scheme in (*_SERVERS, *_DATABASES) and "://" in uri):
        return uri
    elif scheme == "file" or ":" not in uri:
        raise ConfigError(
            f"tracking.uri={uri!r} is a folder: MLflow's file store, which MLflow no longer "
            "supports. Use a SQLite file: tracking.uri=sqlite:///outputs/mlflow.db"
        )
    raise ConfigError(
        f"tracking.uri={mask(uri)!r} is not an address that MLflow can track to. It must be one of "
        "sqlite:///path/to/mlflow.db, http(s)://host:port of a tracking server, "
        "postgresql://, mysql:// or mssql:// of its database, databricks."
    )


def resolve_artifact_location(location: str | None, uri: str) -> str | None:
    """Return where a new experiment keeps its files; None leaves the choice to the store.

    A relative path is made absolute, an address is left unchanged. A tracking server has its own
    place and cannot use a path on this machine: None.
    """
    if location is None or "://" in location or location.startswith("mlflow-artifacts:"):
        return location
    return None if is_server(uri) else str(_home(location).absolute())


def _home(path: str) -> Path:
    """Expand `~` and `~/...` to the home directory. `~x` is an ordinary name."""
    return Path(path).expanduser() if path == "~" or path.startswith("~/") else Path(path)


def default_artifacts(uri: str) -> str | None:
    """Return the folder `artifacts` next to a SQLite file. MLflow's own default is `mlruns` in the
    working directory.

    None for any other store, which has a place of its own.
    """
    path = sqlite_path(uri)
    return None if path is None else str(path.parent / "artifacts")


def is_server(uri: str) -> bool:
    """Return whether `uri` is the address of a tracking server."""
    return urlsplit(uri).scheme in _SERVERS or uri.startswith("databricks")


def sqlite_path(uri: str) -> Path | None:
    """Return the file of a resolved SQLite `uri`; None for any other store."""
    if not uri.startswith(_SQLITE):
        return None
    return Path(uri.removeprefix(_SQLITE).partition("?")[0])
