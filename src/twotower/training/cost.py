"""What a fit costs: seconds of training and of validation, and the positives it trained on."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

__all__ = ["Cost", "Costs"]


@dataclass(frozen=True)
class Cost:
    """The cost of a fit.

    Attributes:
        seconds: Wall time of the whole fit.
        validation_seconds: Wall time of the validations in it: their loss, and the ranking.
        positives: Positives that were trained on, over all epochs.

    >>> cost = Cost(seconds=10.0, validation_seconds=2.0, positives=4000)
    >>> cost.positives_per_second, cost.validation_share
    (500.0, 0.2)
    """

    seconds: float
    validation_seconds: float
    positives: int

    @property
    def positives_per_second(self) -> float:
        """Positives per second of training, validations left out."""
        return self.positives / max(self.seconds - self.validation_seconds, 1e-9)

    @property
    def validation_share(self) -> float:
        """Share of the wall time that validations took."""
        return self.validation_seconds / max(self.seconds, 1e-9)


class Costs(Callback):
    """Measures the cost of a fit, including that of the interrupted fits that it resumes.

    It is called before all others, so that a validation contains what they do in it.
    """

    def __init__(self) -> None:
        self._before = Cost(0.0, 0.0, 0)
        self._started = time.perf_counter()
        self._validation = 0.0
        self._validation_started = 0.0
        self._positives = 0

    @property
    def cost(self) -> Cost:
        """The cost so far."""
        before = self._before
        return Cost(
            before.seconds + time.perf_counter() - self._started,
            before.validation_seconds + self._validation,
            before.positives + self._positives,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return asdict(self.cost)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a checkpoint."""
        self._before = Cost(**state_dict)

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, *_: Any
    ) -> None:
        """Count the positives, of all processes: each has as many."""
        self._positives += outputs["positives"] * trainer.world_size

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start the clock."""
        self._validation_started = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Stop the clock."""
        self._validation += time.perf_counter() - self._validation_started
