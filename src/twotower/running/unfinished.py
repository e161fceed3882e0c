"""A single run that was interrupted is resumed by the same command, as a trial of a sweep is."""

from __future__ import annotations

import logging
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from twotower.config.identity import run_digest
from twotower.core.errors import TrainingError
from twotower.core.files import write_atomically
from twotower.running.trial_context import TrialContext, noted_run
from twotower.tracking.environment import code_version
from twotower.training import is_first_process

__all__ = ["Resume", "Unfinished", "unfinished"]

Resume = Literal[True, False, "new"]

_DATA, _CODE, _LOCK = "data", "code", ".lock"
_FOLDER_OF_FIRST = "TWOTOWER_UNFINISHED"  # which further processes of a run resume from too
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unfinished:
    """What is kept of a run until it has finished: the id of its tracked run, and checkpoints.

    The folder is removed when the run finishes, or fails without a checkpoint.

    Attributes:
        folder: A folder of its own in `<output_dir>/unfinished`, named by the digest of the config;
            its lock is held while the run is alive.
        lock: The lock.
        digest: Of the config.
    """

    folder: Path
    lock: FileLock
    digest: str

    @property
    def data(self) -> str | None:
        """The digest of the data that the run was trained on; None if it was not read yet."""
        note = self.folder / _DATA
        return note.read_text() if note.exists() else None

    def context(self, *, tests: bool) -> TrialContext:
        """Return the context of the run."""
        tags = {"run.digest": self.digest}
        return TrialContext(self.folder, tags, tests, lambda epoch, metrics: None)

    def of(self, data: str) -> bool:
        """Note the data of the run; discard what was kept of a run of other data.

        Returns:
            Whether it is the data of the interrupted run.
        """
        same = self.data == data
        if not same and self.data is not None:
            self._discard("the data has changed since the interruption")
        write_atomically(self.folder / _DATA, lambda file: file.write_text(data))
        return same

    def of_this_code(self) -> None:
        """Note the version of twotower; discard what another one has kept."""
        note, here = self.folder / _CODE, code_version()
        if note.exists() and (there := note.read_text()) != here:
            self._discard(f"twotower has changed since the interruption ({there}, now {here})")
        write_atomically(note, lambda file: file.write_text(here))

    def _discard(self, reason: str) -> None:
        logger.info("%s: the run starts over", reason)
        for path in self.folder.iterdir():
            if path.name != _LOCK:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def announce(self) -> None:
        """Log that an interrupted run is resumed."""
        name = noted_run(self.folder)
        logger.info(
            "resuming the interrupted run%s; resume=new starts over", f" {name}" if name else ""
        )


@contextmanager
def unfinished(
    output_dir: str, config: Mapping[str, Any], resume: Resume
) -> Iterator[Unfinished | None]:
    """Open what an interrupted run of `config` has left, or a new folder; None if not `resume`.

    The further processes of a run get the folder of the first one, which removes it at the end.
    """
    if resume is False:
        yield None
        return
    digest = run_digest(config)
    if not is_first_process():
        first = os.environ.get(_FOLDER_OF_FIRST)
        yield None if first is None else Unfinished(Path(first), FileLock(""), digest)
        return
    root = Path(output_dir) / "unfinished" / digest[:12]
    if resume == "new":
        _clear(root)
    kept = _left(root, digest) or _held(root / uuid.uuid4().hex[:8], digest)
    assert kept is not None, "nobody else knows the folder"
    kept.of_this_code()
    done = False
    os.environ[_FOLDER_OF_FIRST] = str(kept.folder.resolve())
    try:
        yield kept
        done = True
    except TrainingError:  # the same again would diverge again
        done = True
        raise
    except Exception:
        done = not any(kept.folder.glob("*/*.*t"))  # *.ckpt or fitted.pt
        raise
    except BaseException:
        logger.warning("interrupted: the same command resumes the run, resume=new starts over")
        raise
    finally:
        os.environ.pop(_FOLDER_OF_FIRST, None)
        if done:
            shutil.rmtree(kept.folder, ignore_errors=True)
            for empty in (root, root.parent):
                with suppress(OSError):  # of other runs
                    empty.rmdir()
        kept.lock.release(force=True)


def _left(root: Path, digest: str) -> Unfinished | None:
    """Return what the newest interrupted run has left."""
    folders = sorted(root.glob("*/"), key=lambda path: path.stat().st_mtime, reverse=True)
    found = (_held(folder, digest) for folder in folders)
    return next((each for each in found if each is not None), None)


def _clear(root: Path) -> None:
    """Remove what interrupted runs have left."""
    while (left := _left(root, "")) is not None:
        shutil.rmtree(left.folder)
        left.lock.release(force=True)


def _held(folder: Path, digest: str) -> Unfinished | None:
    """Return `folder` with its lock held; None if a living process holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return None
    return Unfinished(folder, lock, digest)
