"""Turn settings into trials: compose and check each config, prepare its data, compute its hash."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from twotower.config import Axis, build
from twotower.config.identity import digest_of, trial_hash
from twotower.config.naming import setting_name
from twotower.core.errors import ConfigError
from twotower.core.secrets import mask, mask_all
from twotower.running.experiment import Experiment
from twotower.sweeping.search import Setting
from twotower.sweeping.trial_spec import Trial, TrialSpec

__all__ = ["Plan"]

Compose = Callable[[Sequence[str]], dict[str, Any]]

_FOLDER_CHARACTERS = 12


@dataclass(frozen=True)
class _Repeat:
    """One value for each key that repeats a setting, and the overrides that set them."""

    values: dict[str, Any]
    overrides: tuple[str, ...]

    def __add__(self, other: _Repeat) -> _Repeat:
        return _Repeat(self.values | other.values, self.overrides + other.overrides)


@dataclass
class Plan:
    """Plans the trials of a sweep.

    Attributes:
        folder: of the sweep.
        fixed: overrides that all trials share.
        repeats: axes that repeat each setting (seeds, folds).
        total: number of trials.
        split_digests: `digest` and `identity` of each prepared split, by the digest of its config.
    """

    folder: Path
    fixed: Sequence[str]
    repeats: Sequence[Axis]
    total: int
    compose: Compose
    split_digests: dict[str, tuple[str, str]] = field(default_factory=dict)
    n_planned: int = 0
    _secrets: dict[str, list[Any]] = field(default_factory=dict)  # values so far, by key

    @property
    def _repeats(self) -> list[_Repeat]:
        of_axes = [
            [
                _Repeat({a.key: v}, (a.override(c),))
                for c, v in zip(a.choices, a.values, strict=True)
            ]
            for a in self.repeats
            if a.choices is not None and a.values is not None
        ]
        return [sum(parts, _Repeat({}, ())) for parts in product(*of_axes)]

    def trials(self, settings: Sequence[Setting], *, tests: bool) -> dict[Setting, list[Trial]]:
        """Return the trials of each setting, one per repeat.

        Args:
            tests: whether the trials score the test part.

        Raises:
            ConfigError: a trial could not run; raised before any data is read.
            DataError: the data of a trial are invalid.
        """
        repeats = self._repeats
        lines = [(*self.fixed, *s.overrides, *r.overrides) for s in settings for r in repeats]
        configs = [self.compose(line) for line in lines]
        for config in configs:
            _refuse(config)
        made = iter(zip(lines, configs, strict=True))
        return {
            s: [self._trial(s, n, r, *next(made), tests) for n, r in enumerate(repeats)]
            for s in settings
        }

    def _trial(
        self,
        setting: Setting,
        number: int,
        repeat: _Repeat,
        line: tuple[str, ...],
        config: dict[str, Any],
        tests: bool,
    ) -> Trial:
        digest, identity = self._split_digests(config)
        hash_ = trial_hash(config, identity)
        varied = {key: self._shown(key, value) for key, value in setting.values.items()}
        self.n_planned += 1
        spec = TrialSpec(
            hash=hash_,
            name=" ".join([setting_name(varied), setting_name(repeat.values)]).strip(),
            setting=setting_name(varied),
            overrides=tuple(mask(override.removeprefix("++")) for override in line),
            varied=varied,
            seed=config["seed"],
            repeat=repeat.values,
            baselines=digest_of(config["baselines"]),
            place=f"{self.n_planned}/{self.total}",
            parent_id=None,
            tests=tests,
            # Only the first repeat reports to the search and may be pruned by it.
            study=setting.study if number == 0 else None,
        )
        folder = self.folder / f"trial-{hash_[:_FOLDER_CHARACTERS]}"
        return Trial(spec, line, folder, digest)

    def _shown(self, key: str, value: Any) -> Any:
        """Return `value`; a secret as `***`, the second one of that key as `*** (2)`."""
        masked = mask_all({key: value})[key]
        if masked == (list(value) if isinstance(value, tuple) else value):
            return value
        known = self._secrets.setdefault(key, [])
        if value not in known:
            known.append(value)
        place = known.index(value) + 1
        return masked if place == 1 else f"{masked} ({place})"

    def _split_digests(self, config: dict[str, Any]) -> tuple[str, str]:
        """Prepare the split, which trials then read from the cache; return its digests."""
        made_from = digest_of([config[key] for key in ("dataset", "preprocessing", "split")])
        if made_from not in self.split_digests:
            experiment: Experiment = build(config)
            _, frames = experiment.load()
            self.split_digests[made_from] = frames.digest, frames.identity
        return self.split_digests[made_from]


def _refuse(config: Mapping[str, Any]) -> None:
    """Raise ConfigError if trials could not be ranked, or if each would start the sweep again."""
    if config["split"].get("validation") is False:
        raise ConfigError(
            "split.validation: got false, but a sweep ranks its trials on validation; must be true "
            "in a sweep"
        )
    trainer = config["trainer"]
    repeats = build(trainer).repeats_command
    for key, valid in (("strategy", "auto"), ("devices", 1)):
        if repeats and trainer[key] != valid:
            raise ConfigError(
                f"trainer.{key}: got {trainer[key]} in a sweep, where each of its processes would "
                f"start the whole sweep again; must be {valid}"
            )
