"""Locks of a store in a database."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import SQLAlchemyError

from twotower.tracking.locks import _database_lock


def test_a_lock_that_the_database_does_not_give_in_time_is_an_error() -> None:
    # What MySQL answers: 1 with the lock, 0 without it.
    with _database_lock("sqlite://", ("SELECT 1",)):
        pass
    with (
        pytest.raises(SQLAlchemyError, match="another process has held the lock for 120 s"),
        _database_lock("sqlite://", ("SELECT 0",)),
    ):
        pass
