"""Components validate their arguments however they are made, from YAML or from Python.

A component is what a config names by `_target_`: a class, or a function that returns one. Its
arguments are checked against their type hints by pydantic, strictly, and against its rules, before
it does anything; all errors are raised as one ConfigError.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any, TypeVar, get_type_hints, overload

from typing_extensions import is_typeddict

from twotower.core.errors import ConfigError, ErrorEntry
from twotower.core.values import value_errors

__all__ = ["Parameter", "arguments_of", "component", "parameters", "rule", "rule_errors", "ruled"]

_Target = TypeVar("_Target", bound=Callable[..., Any])
_Rule = Callable[..., Iterable[ErrorEntry]]


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
    if is_dataclass(target):  # its fields, each read in the module of the class that declares it
        return get_type_hints(target, include_extras=True)
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
