"""What may stand in `tracking.uri`, and where it points."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from twotower.core.errors import ConfigError
from twotower.tracking.masking import mask

_SERVERS = ("http", "https")
_DATABASES = ("postgresql", "mysql", "mssql")
_SQLITE = "sqlite:///"


def resolve_uri(uri: str) -> str:
    """`uri` with the path of a SQLite file made absolute.

    Raises `ConfigError` for MLflow's retired file store and for what it cannot track to.
    """
    scheme = uri.partition(":")[0].partition("+")[0]
    if uri.startswith(_SQLITE):
        path, question, options = uri.removeprefix(_SQLITE).partition("?")
        if "%" in str(Path(path).absolute()):  # read as an escape by some versions of SQLAlchemy
            raise ConfigError(f"tracking.uri={uri!r}: no folder on the way to it may hold '%'.")
        if path not in ("", ":memory:"):
            return f"{_SQLITE}{_home(path).absolute()}{question}{options}"
    elif scheme == "databricks" or (scheme in (*_SERVERS, *_DATABASES) and "://" in uri):
        return uri
    elif scheme == "file" or ":" not in uri:
        raise ConfigError(
            f"tracking.uri={uri!r} is a folder, MLflow's file store, which it no longer writes. "
            "Use a SQLite file: tracking.uri=sqlite:///outputs/mlflow.db"
        )
    raise ConfigError(
        f"tracking.uri={mask(uri)!r} is no address that MLflow can track to. Valid: "
        "sqlite:///path/to/mlflow.db, http(s)://host:port of a tracking server, "
        "postgresql://, mysql:// or mssql:// of its database, databricks."
    )


def resolve_artifact_location(location: str | None, uri: str) -> str | None:
    """Where a new experiment keeps its files; None leaves it to the store.

    A relative path is made absolute, an address is left as it is. A path of this machine means
    nothing to a server, which keeps files where it was told to: None.
    """
    if location is None or "://" in location or location.startswith("mlflow-artifacts:"):
        return location
    return None if is_server(uri) else str(_home(location).absolute())


def _home(path: str) -> Path:
    """`~` alone and `~/...` mean the home directory; `~x` is a name like any other."""
    return Path(path).expanduser() if path == "~" or path.startswith("~/") else Path(path)


def artifacts_beside(uri: str) -> str | None:
    """`artifacts` beside a SQLite file, where MLflow would take `mlruns` in the working directory.

    None for any other store, which has its own place.
    """
    path = sqlite_path(uri)
    return None if path is None else str(path.parent / "artifacts")


def is_server(uri: str) -> bool:
    """Whether `uri` is spoken to by HTTP."""
    return urlsplit(uri).scheme in _SERVERS or uri.startswith("databricks")


def sqlite_path(uri: str) -> Path | None:
    """The file of a resolved SQLite `uri`; None for any other store."""
    if not uri.startswith(_SQLITE):
        return None
    return Path(uri.removeprefix(_SQLITE).partition("?")[0])
