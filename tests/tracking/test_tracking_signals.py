from __future__ import annotations

import signal
import threading

import pytest

from twotower.tracking.signals import deferred_interrupts, terminate_on_sigterm


def test_sigterm_becomes_system_exit_and_the_old_handler_returns() -> None:
    before = signal.getsignal(signal.SIGTERM)
    cleaned = []

    def work() -> None:
        with terminate_on_sigterm():
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                cleaned.append(True)

    with pytest.raises(SystemExit) as caught:
        work()
    assert caught.value.code == 143  # 128 + 15
    assert cleaned
    assert signal.getsignal(signal.SIGTERM) is before


def interrupted(times: int, number: signal.Signals, done: list[str]) -> None:
    with deferred_interrupts():
        for _ in range(times):
            signal.raise_signal(number)
        done.append("the rest of the body")


def test_the_first_interrupt_waits_for_the_end() -> None:
    before = signal.getsignal(signal.SIGINT)
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(1, signal.SIGINT, done)
    assert done == ["the rest of the body"]
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_interrupt_gets_through_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(2, signal.SIGINT, done)
    assert done == []
    assert signal.getsignal(signal.SIGINT) is before


def test_sigterm_waits_too() -> None:
    done: list[str] = []
    with pytest.raises(SystemExit), terminate_on_sigterm():
        interrupted(1, signal.SIGTERM, done)
    assert done == ["the rest of the body"]


def test_the_first_interrupt_waits_for_the_end_of_the_outer_context() -> None:
    done: list[str] = []

    def work() -> None:
        with deferred_interrupts():
            interrupted(1, signal.SIGINT, done)
            done.append("the rest of the outer body")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the rest of the body", "the rest of the outer body"]


def test_threads_are_left_alone() -> None:
    entered = []

    def work() -> None:
        with terminate_on_sigterm(), deferred_interrupts():
            entered.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [before]
