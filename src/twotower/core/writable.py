"""Whether something can be written somewhere, asked before there is anything to write."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from twotower.core.errors import ConfigError
from twotower.core.remote import filesystem, is_remote

__all__ = ["require_writable_file", "require_writable_folder"]


def require_writable_folder(key: str, folder: str | Path) -> None:
    """Raise ConfigError, which names `key`, unless files can be written into `folder`.

    It need not exist yet, and is not created.
    """
    if is_remote(folder):
        raise ConfigError(
            f"{key}: got {str(folder)!r}; must be a local folder, which locks and renames need; a "
            "tracking server keeps files elsewhere: mlflow server --artifacts-destination s3://..."
        )
    path = Path(folder)
    try:
        whole = path.absolute()
        there = next(p for p in (whole, *whole.parents) if os.path.lexists(p))
        with TemporaryDirectory(dir=there, prefix=".twotower-"):
            return
    except (OSError, ValueError) as error:
        raise ConfigError(_refused(key, path, error)) from error


def require_writable_file(key: str, file: str | Path) -> None:
    """Raise ConfigError, which names `key`, unless `file` can be written or replaced.

    Of a URL only the protocol is checked.
    """
    if is_remote(file):
        filesystem(str(file), key)
        return
    path = Path(file)
    require_writable_folder(key, path.parent)
    if path.is_dir():
        raise ConfigError(f"{key}: got {str(path)!r}, which is a folder; must be a file")
    if path.exists() and not os.access(path, os.W_OK):
        raise ConfigError(_refused(key, path, PermissionError(13, "Permission denied")))


def _refused(key: str, path: Path, error: OSError | ValueError) -> str:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return (
        f"{key}: got {str(path)!r}, where nothing can be written ({reason}); must be a place that "
        "exists or can be created"
    )
