"""Published datasets: from the cache, a download, or files that the user downloaded by hand."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from pydantic import PositiveFloat

from twotower.core.errors import DataError, DownloadError
from twotower.core.unpacking import UnpackedSizeError
from twotower.dataset.cache import cache_root, cached_interactions
from twotower.dataset.download import Archive, SourceError
from twotower.dataset.tables import expanded
from twotower.types import Interactions

__all__ = ["PublishedArchive", "Source", "downloaded", "load_cached", "must_hold", "require_files"]

Source = Callable[[Path], Interactions]

# Errors that files of another content, or truncated ones, can raise.
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, UnicodeDecodeError, LookupError),
    *(pl.exceptions.PolarsError, DataError, UnpackedSizeError),
    RuntimeError,  # of zipfile: a password is needed, or an unknown compression
)


@dataclass(frozen=True)
class PublishedArchive:
    """Base of datasets that are published as one file, with the keys that they share."""

    url: str
    md5: str | None
    connect_timeout_s: PositiveFloat
    cache_dir: str | None

    @property
    def archive(self) -> Archive:
        """The published file."""
        return Archive(self.url, self.md5, self.connect_timeout_s)


def load_cached(
    title: str,
    archives: Archive | Sequence[Archive],
    cache_dir: str | None,
    digest: str | None,
    sources: Sequence[Source],
    name: str | None = None,
) -> Interactions:
    """Return the dataset from the cache, else from the first of `sources` that has it.

    Args:
        title: The dataset, for messages.
        archives: The published files.
        cache_dir: See `cache_root`.
        digest: Content digest that the dataset must have; None accepts any.
        sources: Each is called with an empty scratch folder, and raises SourceError if it has to be
            passed over.
        name: Of the cache entry; None: the stem of the first archive.

    Raises:
        DownloadError: No source is left. The message has all that were tried, and where a file
            downloaded by hand is expected.
    """
    files = [archives] if isinstance(archives, Archive) else archives
    root = cache_root(cache_dir)
    folder = root / "datasets" / (name or files[0].stem)
    failures: list[str] = []

    def fetch() -> Interactions:
        for source in sources:
            try:
                with tempfile.TemporaryDirectory() as scratch:
                    found = source(Path(scratch))
                if digest not in (None, found.digest):
                    raise SourceError(
                        f"{found.origin}: content digest {found.digest}, dataset.digest {digest}"
                    )
            except SourceError as failure:
                failures.append(str(failure))
            else:
                reason = f" ({'; '.join(failures)})" if failures else ""
                return replace(found, origin=found.origin + reason)
        put = " and ".join(f"{a.name} (from {a.url}) at {a.by_hand(root)}" for a in files)
        raise DownloadError(
            f"{title} is not in the cache {root} and cannot be fetched: {'; '.join(failures)}. "
            f"Put {put} and run again, "
            "or set dataset.cache_dir to a cache that holds it"
        )

    found = cached_interactions(folder, digest, fetch)
    return replace(found, origin=f"{title} from the cache {folder}, {found.origin}")


def downloaded(
    title: str,
    archives: Sequence[Archive],
    cache_dir: str | None,
    read: Callable[[Sequence[Path], str], Interactions],
    name: str | None = None,
) -> Interactions:
    """Return a dataset that has one source, its published files.

    Args:
        title: The dataset, for messages.
        archives: The files.
        cache_dir: See `cache_root`.
        read: Called with the paths of the files and the origin of the data.
        name: Of the cache entry; see `load_cached`.
    """

    def source(scratch: Path) -> Interactions:
        found = [archive.get(cache_root(cache_dir), scratch) for archive in archives]
        origin = " and ".join(origin for _, origin in found)
        with must_hold(title, found[0][0]):
            return read([path for path, _ in found], origin)

    return load_cached(title, archives, cache_dir, None, [source], name)


@contextmanager
def must_hold(title: str, path: Path) -> Iterator[None]:
    """Raise SourceError in place of what reading a damaged file, or one of other content, raises.

    Args:
        title: The dataset that `path` is read as.
        path: The file.
    """
    try:
        yield
    except _UNREADABLE as error:
        raise SourceError(f"{path} does not hold {title}: {error}") from error


def require_files(path: str, names: Sequence[str], title: str, where: str) -> Path:
    """Return the folder at `path`; raise DataError if it lacks one of the files.

    Args:
        path: `dataset.path`, the folder of a dataset that has to be downloaded by hand.
        names: The files in it that are read.
        title: The dataset.
        where: Where and how to download it.
    """
    folder = expanded(path)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"{title}: {folder} (dataset.path) has no {', '.join(missing)}; {where}, unpack it and "
            "set dataset.path to the folder of these files"
        )
    return folder
