"""The public names and their signatures, which are stable."""

from __future__ import annotations

import inspect

import pytest

import twotower
from twotower.core import errors

SIGNATURES = {
    "run": "(overrides=(), *, interactions=None, test=None, users=None, items=None, "
    "config_dir=None, name=None)",
    "sweep": "(params, overrides=(), *, interactions=None, test=None, users=None, items=None, "
    "config_dir=None, name=None)",
    "doctor": "(overrides=(), *, interactions=None, test=None, users=None, items=None, "
    "config_dir=None, html=None)",
    "load": "(run='latest', overrides=(), *, allow_targets=(), config_dir=None, library='pandas')",
    "compare": "(runs=None, overrides=(), *, sweep=None, config_dir=None, library='pandas')",
}
METHODS = {
    "Recommender.item_vectors": "(self, items=None)",
    "Recommender.recommend": "(self, users=None, k=10, drop_seen=True, items=None, exclude=None)",
    "Recommender.recommend_from": "(self, interactions, k=10, drop_seen=True, items=None, "
    "exclude=None)",
    "Recommender.save": "(self, folder)",
    "Recommender.similar_items": "(self, items=None, k=10, by='cosine')",
    "Recommender.similar_users": "(self, users=None, k=10, by='cosine')",
    "Recommender.user_vectors": "(self, users=None)",
    "Recommender.with_items": "(self, items)",
    "Recommender.with_users": "(self, users)",
    "Result.recommend": "(self, users=None, k=10, drop_seen=True, items=None, exclude=None)",
}
CLASSES = {"Compared", "Diagnosis", "Recommender", "Result"}
ERRORS = {name for name in errors.__all__ if name.endswith("Error")}


def bare(function: object) -> str:
    """The signature without hints."""
    signature = inspect.signature(function)  # type: ignore[arg-type]
    places = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=places, return_annotation=signature.empty))


def test_the_public_names_are_these() -> None:
    assert set(twotower.__all__) == {"__version__", *SIGNATURES, *CLASSES, *ERRORS}
    assert all(hasattr(twotower, name) for name in twotower.__all__)
    with pytest.raises(AttributeError, match="module 'twotower' has no attribute 'train'"):
        _ = twotower.train


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_signature_of_a_function_is_this(name: str) -> None:
    assert bare(getattr(twotower, name)) == SIGNATURES[name]


@pytest.mark.parametrize("name", METHODS)
def test_the_signature_of_a_method_is_this(name: str) -> None:
    owner, _, method = name.partition(".")
    assert bare(getattr(getattr(twotower, owner), method)) == METHODS[name]


def test_every_error_is_a_twotower_error() -> None:
    assert all(issubclass(getattr(twotower, name), twotower.TwoTowerError) for name in ERRORS)
