"""Which arguments of Lightning's Trainer a config may set, and what replaces the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field, PositiveInt
from typing_extensions import TypedDict

from twotower.config.suggest import suggest
from twotower.core.errors import ErrorEntry
from twotower.core.values import value_errors

__all__ = ["REPLACED", "LightningArguments", "argument_errors"]


class LightningArguments(TypedDict, total=False):
    """Arguments that work with what `twotower.training.Trainer` sets itself."""

    overfit_batches: PositiveInt
    limit_train_batches: PositiveInt | Annotated[float, Field(gt=0, le=1)] | None
    accumulate_grad_batches: PositiveInt
    gradient_clip_val: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
    gradient_clip_algorithm: Literal["norm", "value"] | None
    deterministic: bool | Literal["warn"] | None
    benchmark: bool | None
    inference_mode: bool
    detect_anomaly: bool
    log_every_n_steps: PositiveInt


_LENGTH = "set trainer.max_epochs, with trainer.patience=null to train all of them"
_TRY_OUT = "set debug=fast_dev_run, which trains one batch"
_VALIDATION = "set trainer.validate_every, in epochs"
_TEST = "the test part is ranked by evaluation; set evaluation.test"
_LOGGED = "metrics are logged once per epoch; set tracking and trainer/logger"
_KEPT = "the best epoch is always kept; set trainer.keep_checkpoint for its file"
_ONE_MACHINE = "training runs on one machine; set trainer.devices and trainer.strategy=ddp"

# Arguments that would break a fit or do nothing in it, and what to do instead.
REPLACED: Mapping[str, str] = {
    "accelerator": "set trainer.accelerator",
    "strategy": "set trainer.strategy",
    "devices": "set trainer.devices",
    "num_nodes": _ONE_MACHINE,
    "precision": "set trainer.precision",
    "logger": _LOGGED,
    "callbacks": "set trainer/callbacks",
    "fast_dev_run": _TRY_OUT,
    "max_epochs": "set trainer.max_epochs",
    "min_epochs": _LENGTH,
    "max_steps": _LENGTH,
    "min_steps": _LENGTH,
    "max_time": _LENGTH,
    "limit_val_batches": "validation ranks all held-out users; set trainer.validate_every",
    "limit_test_batches": _TEST,
    "limit_predict_batches": _TEST,
    "val_check_interval": _VALIDATION,
    "check_val_every_n_epoch": _VALIDATION,
    "num_sanity_val_steps": _TRY_OUT,
    "enable_checkpointing": _KEPT,
    "enable_progress_bar": "set trainer.progress_bar",
    "enable_model_summary": "the number of parameters is logged as a metric; set tracking",
    "use_distributed_sampler": "processes take shares of one order; set trainer.strategy",
    "profiler": "set trainer/profiler",
    "barebones": "set trainer.progress_bar=false and tracking=none",
    "plugins": "set trainer.precision or trainer.strategy",
    "sync_batchnorm": "no tower has batch normalisation",
    "reload_dataloaders_every_n_epochs": "every epoch has an order of its own; set seed",
    "default_root_dir": "set output_dir",
    "enable_autolog_hparams": "the config is logged by tracking; set tracking",
    "model_registry": "models are logged by tracking; set tracking",
}

_HINTS = get_type_hints(LightningArguments, include_extras=True)


def argument_errors(arguments: Mapping[str, Any]) -> Iterator[ErrorEntry]:
    """Yield what is wrong with each of `arguments`, the value of `trainer.lightning`."""
    for name, value in arguments.items():
        key = f"lightning.{name}"
        if name in REPLACED:
            wrong = f"but this argument is not available: {REPLACED[name]}"
            yield ErrorEntry(key, value, wrong)
        elif name not in _HINTS:
            yield ErrorEntry(key, problem="no such argument", valid=suggest(name, _HINTS))
        else:
            yield from value_errors(key, value, _HINTS[name])
    if arguments.get("gradient_clip_algorithm") and not arguments.get("gradient_clip_val"):
        yield ErrorEntry(
            "lightning.gradient_clip_algorithm",
            problem="does nothing by itself",
            valid="set gradient_clip_val too",
        )
