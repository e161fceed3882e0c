"""Whether a value, from YAML or from Python, fits its type hint."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from typing import Annotated, Any, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic_core import SchemaError
from typing_extensions import get_protocol_members, is_protocol

from twotower.core.errors import ErrorEntry

__all__ = ["is_kind", "value_errors"]

_OBJECT = "needs_python_object"  # pydantic's type of error for a class that no JSON value is
_NODE = "in YAML a node with _target_"


def value_errors(path: str, value: Any, hint: Any) -> Iterator[ErrorEntry]:
    """Yield an error where a value does not fit its type hint.

    Args:
        path: of the value, for the entry.
        value: plain data as YAML holds it, or any object.
        hint: an annotation, with pydantic's constraints. Plain data is read as JSON: strictly, but
            a list may represent a tuple, and a string a date.
    """
    if is_kind(hint):
        if not _is_a(value, hint):
            yield ErrorEntry(path, value, valid=f"must be a {hint.__name__}, {_NODE}")
    elif get_origin(hint) is dict and is_kind(get_args(hint)[1]) and isinstance(value, Mapping):
        for key, each in value.items():
            yield from value_errors(f"{path}.{key}", each, get_args(hint)[1])
    elif _is_callable(hint) and not callable(value):
        yield ErrorEntry(path, value, valid=f"must be a class or function, {_NODE} and _partial_")
    elif (adapter := _adapter(hint)) is not None:
        try:
            _validate(adapter, value)
        except ValidationError as error:
            details = error.errors(include_url=False)
            kept = dict.fromkeys(_reason(each) for each in details if each["type"] != _OBJECT)
            yield ErrorEntry(path, value, valid=", or ".join(kept) or f"must be an object, {_NODE}")


def is_kind(hint: Any) -> bool:
    """Return whether a hint is a class of components, of which no plain data is an instance."""
    return is_protocol(hint) or (
        inspect.isclass(hint) and (inspect.isabstract(hint) or is_dataclass(hint))
    )


def _is_callable(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        return _is_callable(get_args(hint)[0])
    return get_origin(hint) is Callable


def _is_a(value: Any, kind: Any) -> bool:
    if is_protocol(kind):
        return all(hasattr(value, member) for member in get_protocol_members(kind))
    return isinstance(value, kind)


def _validate(adapter: TypeAdapter[Any], value: Any) -> None:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):  # an object, or plain data that holds one
        adapter.validate_python(value, strict=True)
    else:
        adapter.validate_json(text, strict=True)


def _reason(detail: Any) -> str:
    message = str(detail["msg"])
    return message[0].lower() + message[1:]


def _adapter(hint: Any) -> TypeAdapter[Any] | None:
    try:
        return _cached_adapter(hint)
    except TypeError:  # a hint that cannot be hashed, such as one with a dict in its metadata
        return _new_adapter(hint)


def _new_adapter(hint: Any) -> TypeAdapter[Any] | None:
    """None for a class of another library that pydantic cannot check."""
    for config in (None, ConfigDict(arbitrary_types_allowed=True)):
        try:
            return TypeAdapter(hint, config=config)
        except (PydanticUserError, PydanticUndefinedAnnotation, SchemaError, TypeError):
            continue
    return None


_cached_adapter = functools.cache(_new_adapter)
