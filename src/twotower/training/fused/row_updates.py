"""What optimizers that update rows have in common: their tables, steps, and rows that lag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twotower.core.compiled import Linked, compiled, linked
from twotower.training.fused.deferred import Deferred

__all__ = ["CATCH_UP", "UPDATE", "Array", "RowState", "RowUpdates", "no_row_lags"]

Array = NDArray[Any]

_TABLE = "float32[:,::1], float32[:,::1], float32[:,::1], int64[::1], int64[::1]"
# (weight, first, second, last_used, rows, now, sums, means, shrunk)
CATCH_UP = f"void({_TABLE}, int64, float64[::1], float64[::1], float64[::1])"
# (weight, first, second, last_used, rows, gradient, step, fade1, fade2, constants)
UPDATE = f"void({_TABLE}, float32[:,::1], int64, float32[::1], float32[::1], float64[::1])"


@linked(CATCH_UP)
def no_row_lags(
    weight: Array,
    first: Array,
    second: Array,
    last_used: Array,
    rows: Array,
    now: int,
    sums: Array,
    means: Array,
    shrunk: Array,
) -> None:
    """Leave rows as they are."""


class RowState(NamedTuple):
    """A parameter, and the state of its optimizer, whose memory is shared.

    Attributes:
        weight: [n, width] float32.
        first, second: As `weight`: what the optimizer keeps of gradients; [0, 0] if nothing.
        last_used: [n] int64, the step of the epoch in which each row was last updated; [0] for an
            optimizer without rows that lag.
    """

    weight: Array
    first: Array
    second: Array
    last_used: Array


class RowUpdates:
    """Updates rows of the tables of an optimizer, which holds its settings and state.

    A row that a step does not use is left as it is, and catches up with the dense optimizer later.
    The optimizer's state is complete between epochs.

    A class for an optimizer sets the two functions below and defines `constants`.

    Attributes:
        catch_up_rows: Brings rows to the end of the last step; see CATCH_UP.
        update_rows: Updates rows that have caught up, of gradients [R, at least the width]; see
            UPDATE.
        tables: Of the optimizer's parameters.
        deferred: What rows that lag have missed.
        fades: By which each of the two states of a row fades in k steps, [steps + 1] float32.
    """

    catch_up_rows: ClassVar[Linked[Any, Any]]
    update_rows: ClassVar[Linked[Any, Any]]

    def __init__(
        self,
        tables: Sequence[RowState],
        states: Sequence[dict[str, Any]],
        deferred: Deferred,
        fades: tuple[float, float],
    ) -> None:
        """Prepare.

        Args:
            tables: One per parameter.
            states: Of the optimizer, one per parameter; `step` of each is kept if it has one.
            deferred: What rows that lag miss.
            fades: By which each state of a row fades in a step.
        """
        self.tables = tables
        self.deferred = deferred
        self._states = states
        self._fades = fades
        self.start_epoch(0)

    def constants(self, step: int, rate: float) -> tuple[float, float, float, float, float]:
        """Return what the update of a step depends on.

        Args:
            step: Number of the step over all epochs, from 1.
            rate: Learning rate.

        Returns:
            Two numbers for `update_rows`, and those that `Deferred` takes.
        """
        raise NotImplementedError

    def start_epoch(self, steps: int) -> None:
        """Prepare for at most `steps` steps before `finish_epoch`."""
        self.deferred.start_epoch(steps)
        self._steps_before = int(self._states[0].get("step", 0)) if self._states else 0
        ages = np.arange(steps + 1)
        self.fades = tuple((fade**ages).astype(np.float32) for fade in self._fades)

    def catch_up(self, table: int, rows: Array) -> None:
        """Bring the weights of `rows` ([R] int64, distinct) to the end of the last step."""
        deferred = self.deferred
        arrays = deferred.sums, deferred.means, deferred.shrunk
        self.catch_up_rows(*self.tables[table], rows, deferred.now, *arrays)

    def start_step(self, rate: float) -> None:
        """Begin a step with this learning rate."""
        self._constants = self.step_constants([rate])[0]

    def step_constants(self, rates: Sequence[float]) -> Array:
        """Return the constants of the next steps, [steps, 5] float64."""
        first = self._steps_before + self.deferred.now + 1
        return np.array([self.constants(first + k, rate) for k, rate in enumerate(rates)])

    def update(self, table: int, rows: Array, gradient: Array) -> None:
        """Update `rows`, which have caught up, by their gradients [R, at least the width]."""
        step = self.deferred.now + 1
        self.update_rows(*self.tables[table], rows, gradient, step, *self.fades, self._constants)

    def finish_step(self) -> None:
        """End the step."""
        self.deferred.step(*self._constants[2:])

    def finish_epoch(self) -> None:
        """Bring all rows to the end of the last step."""
        now = self.deferred.now
        for table in range(len(self.tables)):
            _, first, second, last_used = self.tables[table]
            self.catch_up(table, np.arange(len(last_used)))
            for values, fade in zip((first, second), self.fades, strict=True):
                if len(last_used) and len(values):
                    _fade(values, last_used, now, fade)
            last_used[:] = 0
        for state in self._states:
            if "step" in state:
                state["step"] += now
        self.start_epoch(0)


@compiled
def _fade(values: Array, last_used: Array, now: int, fade: Array) -> None:
    """Bring the states of all rows to the end of step `now`."""
    for row in range(len(last_used)):
        age = now - last_used[row]
        if age:
            for d in range(values.shape[1]):
                values[row, d] *= fade[age]
