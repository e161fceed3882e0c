"""Locks of a store, for what MLflow cannot do in several processes at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from filelock import FileLock
from sqlalchemy import NullPool, create_engine, make_url, text
from sqlalchemy.exc import TimeoutError as LockTimeout

from twotower.tracking.address import sqlite_path

__all__ = ["store_lock"]

_CONNECT_SECONDS, _WAIT_SECONDS = 10, 120
_LIMITED = ("psycopg", "psycopg2", "pymysql", "mysqldb")  # drivers that know `connect_timeout`
_NUMBER = 0x74776F74  # "twot", the lock's key in a database
# The statements that take a lock, which ends with the connection. MySQL raises nothing if it waits
# in vain, but returns 0 or NULL.
_STATEMENTS = {
    "postgresql": (f"SET lock_timeout = '{_WAIT_SECONDS}s'", f"SELECT pg_advisory_lock({_NUMBER})"),
    "mysql": (f"SELECT COALESCE(GET_LOCK('twotower', {_WAIT_SECONDS}), 0)",),
}


def store_lock(uri: str) -> AbstractContextManager[object]:
    """Return a lock that one process at a time holds; none for a server, which has its own.

    Entering it raises SQLAlchemyError if the database does not respond, or if another process
    holds the lock for two minutes.
    """
    path = sqlite_path(uri)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path.with_name(f"{path.name}.lock"))
    statements = _STATEMENTS.get(uri.partition(":")[0].partition("+")[0])
    return nullcontext() if statements is None else _database_lock(uri, statements)


@contextmanager
def _database_lock(uri: str, statements: tuple[str, ...]) -> Iterator[None]:
    url = make_url(uri)
    limited = url.get_driver_name() in _LIMITED and "connect_timeout" not in url.query
    options = {"connect_timeout": _CONNECT_SECONDS} if limited else {}
    engine = create_engine(url, poolclass=NullPool, connect_args=options)
    with engine.connect() as connection:
        for statement in statements:
            result = connection.execute(text(statement))
            if result.returns_rows and result.scalar() == 0:
                raise LockTimeout(f"another process has held the lock for {_WAIT_SECONDS} s")
        yield
