"""Paths on object stores: `s3://`, `gs://`, `abfs://`, `hf://` and what else fsspec reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import fsspec

from twotower.core.errors import ConfigError, DataError

__all__ = ["filesystem", "is_remote", "local_copy", "upload"]


def is_remote(path: str | Path) -> bool:
    """Return whether `path` names a file or folder of another machine by a URL.

    >>> is_remote("s3://bucket/log.parquet"), is_remote("data/log.parquet")
    (True, False)
    """
    return "://" in str(path)


def filesystem(path: str, key: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URL, and the path in it.

    Args:
        path: The URL. Credentials and endpoints come from the environment, as each store documents
            it, such as AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL.
        key: The config key that holds `path`, for messages.

    Raises:
        ConfigError: The protocol is unknown, or its package is not installed.
    """
    try:
        return fsspec.core.url_to_fs(path)  # type: ignore[no-any-return]
    except ImportError as error:
        raise ConfigError(
            f"{key}: got {path!r}, which needs a package: {error}; pip install 'twotower[cloud]' "
            "installs those of s3://, gs://, abfs:// and hf://"
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"{key}: got {path!r}: {error}; must be a local path, or begin with s3://, gs://, "
            "abfs:// or hf://"
        ) from error


@contextmanager
def local_copy(path: str, key: str, suffix: str = ".parquet") -> Iterator[Path]:
    """Download a file, or the files of a folder, for as long as the context lasts.

    Args:
        path: The URL.
        key: The config key that holds `path`, for messages.
        suffix: Of the files that are copied if `path` is a folder. Names that begin with `_` or
            `.` are left out with all below them, except partitions such as `_day=1`.

    Yields:
        The local file or folder, with the name that it has in the store. A DataError that names it
        is raised again with the URL in its place.

    Raises:
        DataError: It does not exist, or cannot be read.
    """
    store, source = filesystem(path, key)
    with TemporaryDirectory(prefix="twotower-") as folder:
        local = Path(folder) / (PurePosixPath(source).name or "root")
        try:
            if store.isdir(source):
                _copy_folder(store, source, local, suffix)
            else:
                store.get_file(source, str(local))
        except FileNotFoundError as error:
            raise DataError(f"{path} does not exist; {key} must name a file or folder") from error
        except Exception as error:  # each store has errors of its own
            raise DataError(f"{path} ({key}) cannot be read: {error}") from error
        try:
            yield local
        except DataError as error:
            raise DataError(str(error).replace(str(local), path)) from error


def _copy_folder(store: Any, source: str, local: Path, suffix: str) -> None:
    local.mkdir()
    for found in store.find(source):
        inside = PurePosixPath(found).relative_to(source.rstrip("/"))
        hidden = any(
            part.startswith(".") or (part.startswith("_") and "=" not in part)
            for part in inside.parts
        )
        if not hidden and inside.suffix.lower() == suffix:
            target = local / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            store.get_file(found, str(target))


def upload(file: Path, path: str, key: str) -> None:
    """Write a local file to a URL. Raise ConfigError, which names `key`, if that fails."""
    store, target = filesystem(path, key)
    try:
        store.put_file(str(file), target)
    except Exception as error:  # each store has errors of its own
        raise ConfigError(f"{key}: got {path!r}, which cannot be written: {error}") from error
