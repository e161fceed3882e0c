"""Checks every node of a config against the class that it names, and reports all errors at once.

A node is a mapping with `_target_`: its other keys must be the parameters of that class, and its
values must fit their type hints. For classes of this project these are the parameters before `*`
(what stands after it comes from the run), all of them required: YAML is the one place of values.
What a node gives must be of the kind that the type hint of its key asks for. That is known without
calling anything, so a wrong target has no effect but that its module is imported. A stored config,
one that is read from an artifact, may only name what its `Targets` hold.
A class may have a static method `conflicts(node, path)` that yields what does not fit together in
the node, which stands at `path`; the node may hold other mistakes.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic_core import SchemaError
from typing_extensions import is_typeddict

from twotower.config.elsewhere import is_key_elsewhere, key_elsewhere
from twotower.config.instantiate import PARTIAL as _PARTIAL
from twotower.config.instantiate import TARGET as _TARGET
from twotower.config.instantiate import instantiate
from twotower.config.kinds import child_hint, kind_error
from twotower.config.suggest import suggest
from twotower.config.targets import Targets
from twotower.config.tree import choices, is_group
from twotower.core.errors import ConfigError

__all__ = ["check", "errors_of"]

_ANY_CODE = Targets()
_MISSING = "???"
_NODE = f"valid is a node with {_TARGET}, as a choice gives"
_OBJECT = "needs_python_object"  # pydantic's word for a class that no JSON value is


@dataclass(frozen=True)
class _Parameter:
    hint: Any
    required: bool


def check(
    config: Mapping[str, Any],
    errors: Sequence[str] = (),
    path: str = "",
    *,
    kind: Any = None,
    targets: Targets = _ANY_CODE,
) -> None:
    """Raises ConfigError naming each wrong key and value of a composed, resolved config.

    errors: what is known to be wrong already, reported first. path: where `config` stands.
    kind: hint of what it must give, None where its class is known to be right.
    targets: which code it may name.
    """
    errors = [*errors, *_node_errors(path, config, kind, targets)]
    if errors:
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        raise ConfigError("\n  ".join([f"the config has {count}; no data was read", *errors]))


def errors_of(config: Mapping[str, Any], kind: Any) -> list[str]:
    """What `check` would raise, one line an error."""
    return list(_node_errors("", config, kind, _ANY_CODE))


def _node_errors(path: str, node: Mapping[str, Any], kind: Any, targets: Targets) -> Iterator[str]:
    name, partial = node.get(_TARGET), node.get(_PARTIAL, False)
    try:
        target = targets.locate(name)
    except Exception as error:  # an import may fail in any way; each is reported
        reason = str(error.__cause__ or error).partition("\n")[0]
        yield f"{_join(path, _TARGET)}: got {name!r}, which cannot be imported: {reason}"
        return
    if not isinstance(partial, bool):
        yield f"{_join(path, _PARTIAL)}: got {partial!r}; must be true or false"
        return
    if kind is not None and (wrong := kind_error(kind, target, partial)):
        yield f"{_join(path, _TARGET)}: got {name!r}, {wrong}"
        return
    found = list(_parameter_errors(path, node, target, targets))
    yield from found
    if hasattr(target, "conflicts"):
        yield from target.conflicts(node, path)
    # The root is built once all is right; a part tells by itself what no type hint can.
    if path and not found and not partial:
        yield from _construction_errors(path, node, targets)


def _parameter_errors(
    path: str, node: Mapping[str, Any], target: Any, targets: Targets
) -> Iterator[str]:
    parameters = _parameters(target)
    values = {key: value for key, value in node.items() if key not in (_TARGET, _PARTIAL)}
    for key, value in values.items():
        if key in parameters:
            yield from _value_errors(_join(path, key), value, parameters[key].hint, targets)
        else:
            yield f"{_join(path, key)}: no such key; {_suggest_key(key, values[key], parameters)}"
    partial = node.get(_PARTIAL, False)
    for key, parameter in parameters.items():
        if parameter.required and key not in values and not (partial and _foreign(target)):
            yield f"{_join(path, key)}: missing; it must be set"


def _suggest_key(key: str, value: Any, valid: Mapping[str, _Parameter]) -> str:
    if is_key_elsewhere(key):
        return key_elsewhere(key, value) + suggest("", valid)
    return suggest(key, valid, key_elsewhere(key, value))


def _construction_errors(path: str, node: Mapping[str, Any], targets: Targets) -> Iterator[str]:
    try:
        instantiate(node, targets)
    except ConfigError as error:
        yield str(error)
    except Exception as error:  # a class may refuse its values in any way; each is reported
        values = ", ".join(f"{k}={v}" for k, v in node.items() if k != _TARGET)
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        yield f"{path}: {node[_TARGET]} refuses {values} ({reason})"


def _value_errors(path: str, value: Any, hint: Any, targets: Targets) -> Iterator[str]:
    if value == _MISSING:
        yield f"{path}: must be set"
    elif isinstance(value, Mapping) and _TARGET in value:
        yield from _node_errors(path, value, hint, targets)
    elif is_typeddict(hint) and isinstance(value, Mapping):
        yield from _parameter_errors(path, value, hint, targets)
    elif _holds_nodes(value) or (isinstance(value, Mapping) and _takes_nodes(hint)):
        children = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, child in children:
            yield from _value_errors(_join(path, str(key)), child, child_hint(hint, key), targets)
    elif _is_kind(hint):
        yield f"{path}: got {value!r}; {_choice_hint(path)}"
    else:
        yield from _type_errors(path, value, hint)


def _is_kind(hint: Any) -> bool:
    """Whether only a node gives an object of `hint`."""
    return bool(getattr(hint, "_is_protocol", False)) or (
        inspect.isclass(hint) and inspect.isabstract(hint)
    )


def _takes_nodes(hint: Any) -> bool:
    """Whether `hint` is a mapping of nodes by name."""
    return get_origin(hint) is dict and _is_kind(get_args(hint)[-1])


def _choice_hint(path: str) -> str:
    """How the node at `path` is chosen: by a name in the list of a group, or as a group itself."""
    group, _, name = path.rpartition(".")
    if not is_group(group):
        return _NODE
    if name in choices(group):
        return f"the choice {name} is not selected; {group}=[{name}] selects it"
    return suggest(name, choices(group))


def _type_errors(path: str, value: Any, hint: Any) -> Iterator[str]:
    adapter = _adapter(hint)
    if adapter is None:
        return
    try:
        # As JSON: strict on types, but a list may stand for a tuple and a string for a date.
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
        reasons = dict.fromkeys(_reason(detail) for detail in details if detail["type"] != _OBJECT)
        yield f"{path}: got {value!r}; {', or '.join(reasons) or _NODE}"


def _adapter(hint: Any) -> TypeAdapter[Any] | None:
    """None for a hint of somebody else's class that says nothing checkable."""
    for config in (None, ConfigDict(arbitrary_types_allowed=True)):
        try:
            return TypeAdapter(hint, config=config)
        except (PydanticUserError, PydanticUndefinedAnnotation, SchemaError, TypeError):
            continue
    return None


def _reason(detail: Any) -> str:
    message = str(detail["msg"])
    return message[0].lower() + message[1:]


def _holds_nodes(value: Any) -> bool:
    """Whether a node is anywhere in `value`."""
    if isinstance(value, Mapping):
        return _TARGET in value or any(map(_holds_nodes, value.values()))
    return isinstance(value, list) and any(map(_holds_nodes, value))


def _parameters(target: Any) -> dict[str, _Parameter]:
    """The parameters that YAML may set; the keys of a TypedDict."""
    if is_typeddict(target):
        hints = get_type_hints(target, include_extras=True)
        return {name: _Parameter(hints[name], name in target.__required_keys__) for name in hints}
    kinds: list[Any] = [inspect.Parameter.POSITIONAL_OR_KEYWORD]
    if _foreign(target) or hasattr(target, "__dataclass_fields__"):
        kinds.append(inspect.Parameter.KEYWORD_ONLY)
    hints = _hints(target)
    return {
        name: _Parameter(hints.get(name, Any), parameter.default is inspect.Parameter.empty)
        for name, parameter in inspect.signature(target).parameters.items()
        if parameter.kind in kinds
    }


def _hints(target: Any) -> dict[str, Any]:
    function = target.__init__ if inspect.isclass(target) else target
    try:
        return get_type_hints(function, include_extras=True)
    except NameError:
        if not _foreign(target):
            raise
        return {}


def _foreign(target: Any) -> bool:
    return not str(target.__module__).startswith("twotower.")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
