"""What earlier processes left in an outbox: undelivered entries, and runs that nobody has ended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import ViewType

from twotower.core.errors import ConfigError
from twotower.core.files import read_json
from twotower.core.secrets import mask
from twotower.tracking.delivery import Delivery, short_requests
from twotower.tracking.journal import Journal, journals
from twotower.tracking.outbox import Outbox
from twotower.tracking.store import open_store

__all__ = [
    "ORPHAN",
    "OUTBOX_TAG",
    "Synced",
    "journal_of",
    "left_in",
    "run_with",
    "settle",
    "settle_all",
    "sync",
    "take_unopened",
]

OUTBOX_TAG = "outbox"  # of a run: the name of its journal's folder
ORPHAN = "its process ended without closing the run"
_log = logging.getLogger(__name__)


def left_in(root: Path) -> dict[str, str]:
    """Return the runs of which the store does not have everything: their stores by their ids."""
    found = (read_json(path) or {} for path in root.glob("*/run.json"))
    return {about["run_id"]: about["uri"] for about in found if about.get("run_id")}


def journal_of(root: Path, run_id: str) -> Journal | None:
    """Open the journal that an earlier process of this run has left, if there is one."""
    return _first(root, lambda journal: journal.about.get("run_id") == run_id)


def take_unopened(root: Path, opens: str) -> Journal | None:
    """Open the journal of a process that ended while it opened a run as described by `opens`."""

    def unopened(journal: Journal) -> bool:
        kinds = {entry.kind for entry in journal.entries()}
        return journal.about.get("opens") == opens and kinds <= {"file", "tags"}

    return _first(root, unopened)


def settle_all(root: Path, uri: str, client: MlflowClient, keep: str | None) -> None:
    """Deliver what processes of this host have left for this store, and end orphans as KILLED.

    A journal that the store refuses is reported and left as it is.

    Args:
        keep: A run that is about to be reopened.
    """
    for journal in journals(root):
        run_id = journal.about.get("run_id")
        of_store = journal.about.get("uri") == mask(uri)
        if not of_store or journal.elsewhere or (keep is not None and run_id == keep):
            journal.close(remove=False)
            continue
        try:
            settle(journal, client, uri)
        except Exception as error:  # of the store, its driver or the network
            reason = mask(str(error)).partition("\n")[0]
            _log.warning("tracking: run %s in %s is left: %s", run_id, journal.folder, reason)
        finally:
            journal.close(remove=False)


def settle(journal: Journal, client: MlflowClient, uri: str) -> int:
    """Deliver a journal, end its run as KILLED if nobody has ended it, and remove the journal.

    Returns:
        The number of entries that were delivered.
    """
    run_id = journal.about.get("run_id") or run_with(client, journal)
    if run_id is None:  # the store never created it
        journal.close(remove=True)
        return 0
    experiment_id = journal.about["experiment_id"]
    if not journal.ended:
        last = int((journal.folder / "journal.jsonl").stat().st_mtime * 1000)
        journal.append("tags", tags={"error": ORPHAN})
        journal.append("end", status="KILLED", at=last)
        _log.warning("tracking: run %s is ended as KILLED: %s", run_id, ORPHAN)
    count = journal.count()
    Outbox(journal, Delivery(client, journal, run_id, experiment_id), uri).deliver_now()
    journal.close(remove=True)
    return count


@dataclass(frozen=True)
class Synced:
    """What became of one run of an outbox."""

    run_id: str | None
    text: str
    failed: bool


def sync(root: Path, uri: str, *, any_host: bool = False) -> list[Synced]:
    """Deliver each journal below `root` whose process has ended to the store it was written for.

    Args:
        root: The outbox.
        uri: The store of journals whose address holds credentials, which are not on disk.
        any_host: Those of other hosts too, whose processes must have ended.
    """
    clients: dict[str, MlflowClient] = {}
    done = []
    for journal in journals(root):
        run_id, stored = journal.about.get("run_id"), journal.about["uri"]
        address = uri if mask(uri) == stored else stored
        try:
            if journal.elsewhere and not any_host:
                raise ConfigError(
                    f"it was logged on {journal.elsewhere}: run `twotower sync` there, or pass "
                    "any_host=true if its process has ended"
                )
            if address not in clients:
                clients[address] = open_store(address)
            with short_requests():
                count = settle(journal, clients[address], address)
            done.append(Synced(run_id, f"{count} entries delivered to {mask(address)}", False))
        except Exception as error:  # of the store, its driver or the network
            reason = mask(str(error)).partition("\n")[0]
            hint = "; pass tracking.uri with its credentials" if "***" in address else ""
            done.append(Synced(run_id, f"not delivered to {mask(address)}: {reason}{hint}", True))
        finally:
            journal.close(remove=False)
    return done


def run_with(client: MlflowClient, journal: Journal) -> str | None:
    """Return the run that the store has created for a journal; None if there is none."""
    found = client.search_runs(
        [journal.about["experiment_id"]],
        f"tags.{OUTBOX_TAG} = '{journal.folder.name}'",
        ViewType.ACTIVE_ONLY,
        1,
    )
    return str(found[0].info.run_id) if found else None


def _first(root: Path, wanted: Callable[[Journal], bool]) -> Journal | None:
    for journal in journals(root):
        if wanted(journal):
            return journal
        journal.close(remove=False)
    return None
