"""Components validate their arguments however they are made, from YAML or from Python.

A component is what a config names by `_target_`: a class, or a function that returns one. Its
arguments are checked against their type hints by pydantic, strictly, and against its rules, before
it does anything; all errors are raised as one ConfigError.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints, overload

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic_core import SchemaError
from typing_extensions import get_protocol_members, is_protocol, is_typeddict

from twotower.core.errors import ConfigError, ErrorEntry

__all__ = ["Parameter", "arguments_of", "component", "is_kind", "parameters", "rule"]
__all__ += ["rule_errors", "ruled", "value_errors"]

_Target = TypeVar("_Target", bound=Callable[..., Any])
_Rule = Callable[..., Iterable[ErrorEntry]]
_OBJECT = "needs_python_object"  # pydantic's type of error for a class that no JSON value is
_NODE = "in YAML a node with _target_"


@dataclass(frozen=True)
class Parameter:
    """A parameter that a config may set.

    Attributes:
        hint: its type hint, `Any` where there is none.
        required: whether it has no default.
    """

    hint: Any
    required: bool


@overload
def component(target: _Target) -> _Target: ...
@overload
def component(*, rules: Iterable[_Rule]) -> Callable[[_Target], _Target]: ...
def component(target: Any = None, *, rules: Iterable[_Rule] = ()) -> Any:
    """Validate the arguments of a class or function before it runs.

    The parameters before `*` are validated, as well as every field of a dataclass; what follows
    `*` comes from the run. Apply it outside of `@dataclass`. A subclass inherits the validation of
    the arguments it passes on.

    Args:
        target: the class or function, if the decorator is used without arguments.
        rules: rules about several arguments that are no static methods of the class; see `rule`.

    Raises:
        ConfigError: from the decorated class or function; it holds an entry for each wrong
            argument. Missing and unknown arguments raise TypeError, as Python does.

    Example:
        >>> from pydantic import PositiveInt
        >>> @component
        ... @dataclass(frozen=True)
        ... class Knn:
        ...     neighbours: PositiveInt
        >>> Knn(neighbours=-3)
        Traceback (most recent call last):
        twotower.core.errors.ConfigError: neighbours: got -3; input should be greater than 0
    """
    if target is None:
        return functools.partial(component, rules=rules)
    if rules:
        target.__rules__ = tuple(rules)
    if not inspect.isclass(target):
        return _validated(target, target)
    if "__init__" in vars(target):  # else it takes no arguments, or those of its base
        target.__init__ = _validated(target.__init__, target)  # type: ignore[method-assign]
    return target


def _validated(function: Callable[..., Any], target: Any) -> Callable[..., Any]:
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # raises it again, with the name of the function
        errors = list(_argument_errors(target, bound.arguments))
        if errors:
            raise ConfigError(errors)
        return function(*args, **kwargs)

    return call


def rule(function: _Rule) -> _Rule:
    """Mark a static method as a rule about several arguments of its class.

    Its parameters are named as the arguments it is about, and it yields an entry for each error. It
    is called only where all of these are valid by themselves, with the objects that the class
    takes, also where they come from YAML.
    """
    function.__rule__ = True  # type: ignore[attr-defined]
    return function


def ruled(target: Any) -> set[str]:
    """Return the names of the arguments of a class or function that a rule is about."""
    return {name for _, names in _rules(target) for name in names}


def rule_errors(target: Any, valid: Mapping[str, Any]) -> Iterator[ErrorEntry]:
    """Yield what the rules of a class find wrong.

    Args:
        target: a class or function.
        valid: the arguments that are valid by themselves, by name.
    """
    for function, names in _rules(target):
        if all(name in valid for name in names):
            yield from function(**{name: valid[name] for name in names})


def arguments_of(factory: Any) -> dict[str, Any]:
    """Return the arguments that a functools.partial holds, by name; none for another callable.

    >>> def dot(users, items): ...
    >>> arguments_of(functools.partial(dot, [1], items=[2]))
    {'users': [1], 'items': [2]}
    """
    if not isinstance(factory, functools.partial):
        return {}
    try:
        bound = inspect.signature(factory.func).bind_partial(*factory.args, **factory.keywords)
    except TypeError:  # raised again, with its reason, when the partial is called
        return dict(factory.keywords)
    return dict(bound.arguments)


def _argument_errors(target: Any, arguments: Mapping[str, Any]) -> Iterator[ErrorEntry]:
    valid = {}
    for name, hint in _hints_to_validate(target).items():
        if name not in arguments:
            continue
        errors = list(value_errors(name, arguments[name], hint))
        yield from errors
        if not errors:
            valid[name] = arguments[name]
    yield from rule_errors(target, valid)


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
    elif get_origin(hint) is Callable and not callable(value):
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


@functools.cache
def _hints_to_validate(target: Any) -> dict[str, Any]:
    return {name: each.hint for name, each in parameters(target, own=True).items()}


def parameters(target: Any, *, own: bool) -> dict[str, Parameter]:
    """Return the parameters of a class or function that a config may set, by name.

    Args:
        target: a class, a function, or a TypedDict, whose keys are its parameters.
        own: whether keyword-only parameters come from the run, and so are left out; those of a
            dataclass never do.
    """
    if is_typeddict(target):
        hints = get_type_hints(target, include_extras=True)
        return {name: Parameter(hints[name], name in target.__required_keys__) for name in hints}
    kinds: list[Any] = [inspect.Parameter.POSITIONAL_OR_KEYWORD]
    if not own or is_dataclass(target):
        kinds.append(inspect.Parameter.KEYWORD_ONLY)
    hints = _hints(target, own)
    return {
        name: Parameter(hints.get(name, Any), parameter.default is inspect.Parameter.empty)
        for name, parameter in inspect.signature(target).parameters.items()
        if parameter.kind in kinds
    }


def _hints(target: Any, own: bool) -> dict[str, Any]:
    function = target.__init__ if inspect.isclass(target) else target
    try:
        return get_type_hints(function, include_extras=True)
    except NameError:
        if own:
            raise
        return {}


@functools.cache
def _rules(target: Any) -> list[tuple[_Rule, list[str]]]:
    members = inspect.getmembers_static(target) if inspect.isclass(target) else []
    methods = [each.__func__ for _, each in members if isinstance(each, staticmethod)]
    functions = [each for each in methods if hasattr(each, "__rule__")]
    return [
        (function, list(inspect.signature(function).parameters))
        for function in (*functions, *getattr(target, "__rules__", ()))
    ]
