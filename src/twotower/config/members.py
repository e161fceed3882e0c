"""Whether a class has the methods and attributes of another one, without making an object of it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, ClassVar, get_origin, get_type_hints

from typing_extensions import get_protocol_members, is_protocol

__all__ = ["hints_of", "method_of", "shown_method", "unlike"]

_UNKNOWN = (Any, object)


def unlike(result: Any, kind: Any) -> list[str]:
    """Return the reasons why an object of class `result` is not of `kind`.

    A subclass lacks what it has not defined of the abstract methods, and of the class attributes
    without a value, of `kind`. Another class must have each member of a protocol.
    """
    result, kind = get_origin(result) or result, get_origin(kind) or kind
    name = getattr(result, "__name__", str(result))
    if not inspect.isclass(result) or not inspect.isclass(kind) or kind in _UNKNOWN:
        return [f"which gives {name}"]
    if kind not in result.__mro__ and not is_protocol(kind) and not issubclass(result, kind):
        return [f"which gives {name}"]
    missing = _undefined(result, kind) if kind in result.__mro__ else _lacking(result, kind)
    return [f"which gives {name}, {each}" for each in missing]


def _undefined(result: type, kind: type) -> Iterator[str]:
    """Yield what a subclass of `kind` has not defined; a function may promise `kind` itself."""
    if result is kind:
        return
    for member in sorted(getattr(result, "__abstractmethods__", ())):
        yield f"without the method {shown_method(member, method_of(result, member))}"
    for member, hint in hints_of(kind).items():
        if get_origin(hint) is ClassVar and not hasattr(result, member):
            yield f"without the attribute {member}"


def _lacking(result: type, kind: type) -> Iterator[str]:
    """Yield what `result` lacks of the protocol `kind`."""
    for member in sorted(get_protocol_members(kind) if is_protocol(kind) else ()):
        wanted, found = method_of(kind, member), method_of(result, member)
        if wanted is None:
            if not _has_attribute(result, member):
                yield f"without the attribute {member}"
        elif found is None:
            yield f"without the method {shown_method(member, wanted)}"
        elif not _fits(found, wanted):
            wanted_text = shown_method(member, wanted)
            yield f"without the method {wanted_text}: its own is {shown_method(member, found)}"


def _has_attribute(owner: type, name: str) -> bool:
    """Return whether objects of a class have an attribute, of the class or set in a method."""
    methods = (
        inspect.unwrap(each)
        for base in owner.__mro__
        for each in vars(base).values()
        if inspect.isfunction(each)
    )
    names = {
        name for each in methods if inspect.isfunction(each) for name in each.__code__.co_names
    }
    return (
        hasattr(owner, name)
        or any(name in vars(base).get("__annotations__", {}) for base in owner.__mro__)
        or name in names
    )


def _fits(method: Any, wanted: Any) -> bool:
    """Return whether `method` can be called as `wanted`, and the known hints of both agree."""
    try:
        given = inspect.signature(method).parameters.values()
        places = list(inspect.signature(wanted).parameters.values())
        inspect.signature(method).bind(
            *[None for p in places if p.kind is p.POSITIONAL_OR_KEYWORD],
            **{p.name: None for p in places if p.kind is p.KEYWORD_ONLY},
        )
    except (TypeError, ValueError):
        return False
    here, there = hints_of(method), hints_of(wanted)
    pairs = [(there.get(w.name), here.get(g.name)) for w, g in zip(places, given, strict=False)]
    pairs.append((here.get("return"), there.get("return")))
    return all(_is_a(narrow, wide) for narrow, wide in pairs)


def _is_a(narrow: Any, wide: Any) -> bool:
    """Return whether one plain class is a subclass of the other; true for all other hints."""
    known = [each for each in (narrow, wide) if inspect.isclass(each) and not is_protocol(each)]
    return len(known) < 2 or get_origin(narrow) or get_origin(wide) or issubclass(narrow, wide)


def method_of(owner: Any, name: str) -> Any:
    """Return the function `name` of a class, None where it has none.

    That of `__call__` is `forward` where a class is a torch module.
    """
    classes = getattr(owner, "__mro__", ())
    if name == "__call__" and any("forward" in vars(each) for each in classes):
        name = "forward"
    found = next((vars(each)[name] for each in classes if name in vars(each)), None)
    if getattr(found, "__name__", "") == "_forward_unimplemented":  # of nn.Module itself
        return None
    if isinstance(found, staticmethod | classmethod):
        return getattr(owner, name)
    return found if inspect.isroutine(found) else None


def hints_of(function: Any) -> dict[str, Any]:
    """Return the type hints of a function or class; none where one cannot be resolved."""
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError):  # names that only a type checker imports
        return {}


def shown_method(name: str, method: Any) -> str:
    """Such as `sample(users, positives, generator)`."""
    if method is None:  # an attribute
        return name
    return f"{name}({', '.join(list(inspect.signature(method).parameters)[1:])})"
