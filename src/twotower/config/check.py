"""Check every node of a config against the class it names, and report all errors together.

A node is a mapping with `_target_`: its other keys must be the parameters of that class, and its
values must fit their type hints. For classes of this project these are the parameters before `*`
(what follows it comes from the run), all of them required: YAML is the one place of values.
The class itself knows what its values must be (`core.component`); here nodes are walked, errors
get the path of their node, and unknown keys a suggestion. Whether a node gives the kind of object
that the type hint of its key asks for is decided without calling anything, so a wrong target has no
effect except that its module is imported. A stored config, one that is read from an artifact, may
only name what its `Targets` allow.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, get_args, get_origin

from typing_extensions import is_typeddict

from twotower.config.elsewhere import is_key_elsewhere, key_elsewhere
from twotower.config.instantiate import PARTIAL as _PARTIAL
from twotower.config.instantiate import TARGET as _TARGET
from twotower.config.instantiate import instantiate
from twotower.config.kinds import child_hint, given_keywords, kind_error, readers_of
from twotower.config.suggest import suggest
from twotower.config.targets import Targets
from twotower.config.tree import choices, is_group
from twotower.core.component import Parameter, parameters, rule_errors, ruled
from twotower.core.errors import ConfigError, ErrorEntry
from twotower.core.values import is_kind, value_errors

__all__ = ["check", "errors_of"]

_ANY_CODE = Targets()
_MISSING = "???"


def check(
    config: Mapping[str, Any],
    errors: Iterable[ErrorEntry | str] = (),
    path: str = "",
    *,
    kind: Any = None,
    targets: Targets = _ANY_CODE,
    readers: Sequence[Any] = (),
) -> None:
    """Raise ConfigError naming each wrong key and value of a composed, resolved config.

    Args:
        config: plain containers.
        errors: what is already known to be wrong, reported first.
        path: of `config` within a whole config.
        kind: hint of the object it must describe; None where its class is known to be right.
        targets: the code it may name.
        readers: classes that are built from keys of `config` next to the one it names.
    """
    known = [ErrorEntry(None, problem=e) if isinstance(e, str) else e for e in errors]
    readers = [*readers, *readers_of(kind)]
    entries = [*known, *_node_errors(path, config, kind, targets, readers)]
    if entries:
        count = "1 error" if len(entries) == 1 else f"{len(entries)} errors"
        raise ConfigError(entries, header=f"the config has {count}; no data was read")


def errors_of(
    config: Mapping[str, Any], kind: Any, readers: Sequence[Any] = ()
) -> list[ErrorEntry]:
    """Return the errors that `check` would raise."""
    return list(_node_errors("", config, kind, _ANY_CODE, readers))


def _node_errors(
    path: str,
    node: Mapping[str, Any],
    kind: Any,
    targets: Targets,
    readers: Sequence[Any] = (),
) -> Iterator[ErrorEntry]:
    name, partial = node.get(_TARGET), node.get(_PARTIAL, False)
    try:
        target = targets.locate(name)
    except Exception as error:  # an import may fail in any way; each is reported
        reason = str(error.__cause__ or error).partition("\n")[0]
        valid = "" if targets.packages is not None else _how_to_import(name, error)
        yield ErrorEntry(_join(path, _TARGET), name, f"which cannot be imported: {reason}", valid)
        return
    if not isinstance(partial, bool):
        yield ErrorEntry(_join(path, _PARTIAL), partial, valid="must be true or false")
        return
    if kind is not None and (wrong := kind_error(kind, target, partial)):
        yield ErrorEntry(_join(path, _TARGET), name, wrong)
        return
    if partial and (given := given_keywords(kind)) is not None:
        yield from _call_errors(path, node, target, given)
    found = list(_parameter_errors(path, node, (target, *readers), targets))
    yield from found
    for reader in readers:
        yield from _rule_errors(path, node, reader, found, targets)
    if path and not found and not partial:  # the constructor applies the rules
        yield from _construction_errors(path, node, targets)
    else:  # the root is built once all is right
        yield from _rule_errors(path, node, target, found, targets)


def _how_to_import(name: Any, error: Exception) -> str:
    """Return what to do about a package that does not exist; empty for any other error."""
    package = str(name).partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or error.name != package:
        return ""
    return f"{package} must be installed, or the folder that holds it be on PYTHONPATH"


def _call_errors(
    path: str, node: Mapping[str, Any], target: Any, given: Sequence[str]
) -> Iterator[ErrorEntry]:
    """Yield errors if the run cannot call `target`; `given` are the keywords that it passes."""
    places = inspect.signature(target).parameters
    takes_any = any(place.kind is place.VAR_KEYWORD for place in places.values())
    if not takes_any and (refused := [name for name in given if name not in places]):
        takes = f"which does not take the argument {' or '.join(refused)}"
        valid = f"must take {', '.join(given)}, which the run passes as keywords"
        yield ErrorEntry(_join(path, _TARGET), node[_TARGET], takes, valid)
    for name, place in places.items():
        open_ended = place.kind in (place.VAR_POSITIONAL, place.VAR_KEYWORD)
        required = place.default is place.empty and not open_ended and _foreign(target)
        if required and name not in node and name not in given:
            yield ErrorEntry(_join(path, name), problem="missing", valid="it must be set")


def _rule_errors(
    path: str, node: Mapping[str, Any], target: Any, found: Sequence[ErrorEntry], targets: Targets
) -> Iterator[ErrorEntry]:
    """Yield what the rules of `target` find wrong in the values without errors of their own."""
    wrong = {str(entry.path) for entry in found}
    valid = {}
    for key in ruled(target) & node.keys():
        if not any(f"{each}.".startswith(f"{_join(path, key)}.") for each in wrong):
            with suppress(Exception):  # which is in `found`, but names no path
                valid[key] = instantiate(node[key], targets)
    yield from (entry.under(path) for entry in rule_errors(target, valid))


def _parameter_errors(
    path: str, node: Mapping[str, Any], readers: Sequence[Any], targets: Targets
) -> Iterator[ErrorEntry]:
    """Yield errors of keys and values; `readers` are the classes that take them."""
    known = {
        key: parameter
        for target in readers
        for key, parameter in parameters(target, own=not _foreign(target)).items()
    }
    values = {key: value for key, value in node.items() if key not in (_TARGET, _PARTIAL)}
    for key, value in values.items():
        if key in known:
            yield from _value_errors(_join(path, key), value, known[key].hint, targets)
        else:
            suggestion = _suggest_key(_join(path, key), value, known)
            yield ErrorEntry(_join(path, key), problem="no such key", valid=suggestion)
    partial = node.get(_PARTIAL, False)
    for key, parameter in known.items():
        if parameter.required and key not in values and not (partial and _foreign(readers[0])):
            yield ErrorEntry(_join(path, key), problem="missing", valid="it must be set")


def _suggest_key(path: str, value: Any, valid: Mapping[str, Parameter]) -> str:
    key = path.rpartition(".")[2]
    if is_key_elsewhere(key):
        return key_elsewhere(path, value) + suggest("", valid)
    return suggest(key, valid, key_elsewhere(path, value))


def _construction_errors(
    path: str, node: Mapping[str, Any], targets: Targets
) -> Iterator[ErrorEntry]:
    try:
        instantiate(node, targets)
    except ConfigError as error:
        yield from error.under(path).entries
    except Exception as error:  # a class may refuse its values in any way; each is reported
        values = ", ".join(f"{k}={v}" for k, v in node.items() if k != _TARGET)
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        yield ErrorEntry(path, problem=f"{node[_TARGET]} refuses {values} ({reason})")


def _value_errors(path: str, value: Any, hint: Any, targets: Targets) -> Iterator[ErrorEntry]:
    if value == _MISSING:
        yield ErrorEntry(path, valid="must be set")
    elif isinstance(value, Mapping) and _TARGET in value and _takes_nodes(hint):
        problem = f"holds the keys of {value[_TARGET]} themselves"
        valid = "must hold nodes by their names, such as `mine: {_target_: ...}`"
        yield ErrorEntry(path, problem=problem, valid=valid)
    elif isinstance(value, Mapping) and _TARGET in value:
        yield from _node_errors(path, value, hint, targets, readers_of(hint))
    elif isinstance(value, Mapping) and _is_left_of_another(value, hint):
        yield ErrorEntry(path, problem="missing", valid="it must be set")
    elif is_typeddict(hint) and isinstance(value, Mapping):
        yield from _parameter_errors(path, value, (hint,), targets)
    elif _holds_nodes(value) or (isinstance(value, Mapping) and _takes_nodes(hint)):
        children = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, child in children:
            yield from _value_errors(_join(path, str(key)), child, child_hint(hint, key), targets)
    elif is_kind(hint) and is_group(path.rpartition(".")[0]):
        yield ErrorEntry(path, value, valid=_choice_hint(path))
    else:
        yield from value_errors(path, value, hint)


def _is_left_of_another(value: Mapping[str, Any], hint: Any) -> bool:
    """Whether a mapping has only keys that are not for the class that its node would name."""
    keys = {key for reader in readers_of(hint) for key in parameters(reader, own=True)}
    return bool(keys) and value.keys() <= keys


def _takes_nodes(hint: Any) -> bool:
    """Return whether `hint` is a mapping of nodes by name."""
    return get_origin(hint) is dict and is_kind(get_args(hint)[-1])


def _choice_hint(path: str) -> str:
    """Return how a group's list of names selects the node at `path`."""
    group, _, name = path.rpartition(".")
    if name in choices(group):
        return f"the choice {name} is not selected; {group}=[{name}] selects it"
    return suggest(name, choices(group))


def _holds_nodes(value: Any) -> bool:
    """Return whether there is a node anywhere in `value`."""
    if isinstance(value, Mapping):
        return _TARGET in value or any(map(_holds_nodes, value.values()))
    return isinstance(value, list) and any(map(_holds_nodes, value))


def _foreign(target: Any) -> bool:
    return not str(target.__module__).startswith("twotower.")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
