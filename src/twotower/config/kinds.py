"""What kind of object a key takes, and whether a class or function gives one: by type hints alone,
without calling it."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import (
    Annotated,
    Any,
    Literal,
    Self,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from typing_extensions import get_protocol_members, is_protocol, is_typeddict

from twotower.config.instantiate import PARTIAL
from twotower.config.members import hints_of, method_of, shown_method, unlike

__all__ = [
    "AlsoReads",
    "Contract",
    "KeywordsOf",
    "child_hint",
    "given_keywords",
    "kind_error",
    "readers_of",
]

_UNKNOWN = (Any, object)


@dataclass(frozen=True)
class Contract:
    """In `Annotated[...]`: what an object must be besides its hint; one of `kinds` is enough.

    kinds: classes, protocols, or the name of a class that is slow to import.
    given: of what makes such an object, the keywords that the run passes to it; None if the run
        passes others.
    """

    kinds: tuple[Any, ...]
    given: tuple[str, ...] | None

    def __init__(self, *kinds: Any, given: Sequence[str] | None = None) -> None:
        object.__setattr__(self, "kinds", kinds)
        object.__setattr__(self, "given", None if given is None else tuple(given))


@dataclass(frozen=True)
class KeywordsOf:
    """In `Annotated[dict[str, Any], ...]`: the values are arguments of that class."""

    target: Any


@dataclass(frozen=True)
class AlsoReads:
    """In `Annotated[...]`: the node has further keys, which are not for the class that it names.

    target: a TypedDict of these keys.
    """

    target: Any


def readers_of(hint: Any) -> list[Any]:
    """Return what reads keys of a node that is hinted by `hint`, besides the class it names."""
    metadata = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return [each.target for each in metadata if isinstance(each, AlsoReads)]


def kind_error(hint: Any, target: Any, partial: bool) -> str | None:
    """Return why calling `target` does not return what `hint` requires; None if it does.

    partial: whether the node only fixes arguments, to be called by the run.
    """
    alternatives = [each for each in _alternatives(hint) if each is not types.NoneType]
    if not alternatives or any(each in _UNKNOWN or _is_variable(each) for each in alternatives):
        return "no node is accepted here, since no type hint says of what kind it must be"
    results = _results(target)
    if isinstance(results, str):
        return f"{results}; {_accepted(alternatives)}"
    for result in results:
        reasons = [_mismatch(result, each, partial) for each in alternatives]
        if all(reasons):
            nearest, *_ = min(reasons, key=_distance)
            return f"{nearest}; {_accepted(alternatives)}"
    return None


def given_keywords(hint: Any) -> tuple[str, ...] | None:
    """Return the keywords that the run passes to what `hint` asks for; None if it is not known."""
    if get_origin(hint) is not Annotated:
        return None
    found = [each.given for each in get_args(hint)[1:] if isinstance(each, Contract)]
    return next((given for given in found if given is not None), None)


def child_hint(hint: Any, key: Any) -> Any:
    """Return the hint of the value at `key` in a mapping or list whose hint is `hint`."""
    found = []
    for each in _alternatives(hint):
        if isinstance(each, KeywordsOf):
            return hints_of(each.target.__init__).get(key, Any)
        if is_typeddict(each):
            found.append(get_type_hints(each, include_extras=True).get(key, Any))
            continue
        origin, arguments = get_origin(each), get_args(each)
        kinds = (Mapping, 1) if isinstance(key, str) else (Sequence, 0)
        if inspect.isclass(origin) and issubclass(origin, kinds[0]) and arguments:
            found.append(arguments[kinds[1]])
    return Union[tuple(found)] if found else Any  # noqa: UP007  # of a number known only here


def _alternatives(hint: Any) -> Iterator[Any]:
    """Return the alternatives of `hint`, each without Annotated."""
    origin = get_origin(hint)
    if origin is Annotated:
        base, *metadata = get_args(hint)
        for special in metadata:
            if isinstance(special, KeywordsOf):
                yield special
                return
            if isinstance(special, Contract):
                yield from _contracted(base, special)
                return
        yield from _alternatives(base)
    elif origin in (Union, types.UnionType):
        for each in get_args(hint):
            yield from _alternatives(each)
    else:
        yield hint


def _contracted(base: Any, contract: Contract) -> Iterator[Any]:
    """Return the kinds of `contract`; where `base` is a Callable, what returns them."""
    for kind in contract.kinds:
        if isinstance(kind, str):
            module, _, name = kind.rpartition(".")
            kind = getattr(import_module(module), name)
        yield Callable[..., kind] if _is_callable_hint(base) else kind


def _results(target: Any) -> list[Any] | str:
    """Return the types that calling `target` returns; a reason if they are not known."""
    if inspect.isclass(target):
        return [target]
    if not inspect.isroutine(target):
        return "which is neither a class nor a function"
    returned = hints_of(target).get("return")
    if returned is None:
        return "which is a function without a return annotation"
    if returned is Self:
        returned = getattr(target, "__self__", None)
    return list(_alternatives(returned))


def _mismatch(result: Any, kind: Any, partial: bool) -> list[str]:
    """Return the reasons why an object of class `result` is not of `kind`."""
    if _is_callable_hint(kind):
        wanted = list(_alternatives(get_args(kind)[1] if get_args(kind) else Any))
        wrong = _none_of(result, wanted)
        if partial or not wrong:
            return wrong if partial else ["which the run has to call; _partial_ must be true"]
        call = method_of(result, "__call__")
        made = "which is not called" if call is None else _results(call)
        if isinstance(made, str):
            return [made]
        return next((wrong for each in made if (wrong := _none_of(each, wanted))), [])
    if partial:
        return ["which _partial_=true keeps from being made; _partial_ must be false"]
    return unlike(result, kind)


def _none_of(result: Any, kinds: Sequence[Any]) -> list[str]:
    """Return the reasons why an object of class `result` is of none of `kinds`, of the nearest."""
    return min((unlike(result, kind) for kind in kinds), key=_distance, default=[])


def _distance(reasons: Sequence[str]) -> tuple[bool, int]:
    """Return whether a class is none of a kind at all, and how many members it lacks."""
    related = not reasons or ", without the " in reasons[0] or PARTIAL in reasons[0]
    return not related, len(reasons)


def _is_callable_hint(hint: Any) -> bool:
    return (get_origin(hint) or hint) is Callable


def _is_variable(hint: Any) -> bool:
    return isinstance(hint, TypeVar)


def _accepted(kinds: Sequence[Any]) -> str:
    """Return what may be named, in words."""
    made = [
        get_args(kind)[1] if _is_callable_hint(kind) and get_args(kind) else kind for kind in kinds
    ]
    names = [name for each in made for name in map(_kind_name, _alternatives(each))]
    return (
        f"must be a {' or '.join(dict.fromkeys(names))}: a class, or a function that is annotated "
        "to return one"
    )


def _kind_name(kind: Any) -> str:
    if get_origin(kind) is Literal or not inspect.isclass(kind):
        return str(kind).replace("typing.", "")
    if kind.__module__ == "builtins":
        return kind.__name__
    members = [
        shown_method(name, method_of(kind, name))
        for name in sorted(get_protocol_members(kind) if is_protocol(kind) else ())
    ]
    having = f" (with {', '.join(members)})" if members else ""
    return f"{kind.__module__}.{kind.__qualname__}{having}"
