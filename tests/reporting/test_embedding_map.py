"""The figure of item embeddings: what is drawn, and in which color."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from twotower.core.errors import ConfigError
from twotower.reporting.embedding_map import embedding_map, item_classes

VECTORS = np.array([[3, 4, 0], [0, 0, 0], [0, -2, 0], [1, 0, 0]], np.float32)
COUNTS = np.array([9, 0, 99, 0])


def test_items_are_coloured_by_popularity_without_a_class() -> None:
    figure = embedding_map(VECTORS, COUNTS, None, "pca")
    places, popularity = figure.axes[:2]
    (points,) = places.collections
    assert sorted(np.asarray(points.get_array())) == [0, 0, 1, 2]  # log10(1 + 0, 0, 9, 99)
    offsets = np.asarray(popularity.collections[0].get_offsets())
    drawn = {tuple(each) for each in offsets.tolist()}
    assert drawn == {(10.0, 5.0), (1.0, 0.0), (100.0, 2.0), (1.0, 1.0)}
    assert "100% of the variance" in places.get_title()  # of three points, in a plane
    assert figure.get_suptitle() == "Embeddings of 4 items"


def test_the_most_frequent_classes_have_a_color_and_the_others_are_grey() -> None:
    names = pl.Series("genre", ["a", None, "a", "b"])
    figure = embedding_map(VECTORS, COUNTS, names, "pca")
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["others", "a", "b"]
    assert legend.get_title().get_text() == "genre"


def test_classes_are_the_first_column_with_few_values() -> None:
    assert item_classes(None) is None
    features = pl.DataFrame(
        {
            "year": [1999, 2000, 2001],
            "one": ["x", "x", "x"],
            "genres": [["Drama", "War"], ["Comedy"], None],
            "color": ["red", "blue", "red"],
        }
    )
    assert item_classes(features.drop("genres", "color")) is None
    classes = item_classes(features)
    assert classes is not None
    assert (classes.name, classes.to_list()) == ("genres", ["Drama", "Comedy", None])
    of_color = item_classes(features.drop("genres"))
    assert of_color is not None
    assert of_color.name == "color"
    many = pl.DataFrame({"title": [f"title {n}" for n in range(60)]})
    assert item_classes(many) is None


def test_vectors_of_one_number_are_drawn_on_a_line() -> None:
    points = embedding_map(VECTORS[:, :1], COUNTS, None, "pca").axes[0].collections[0]
    assert np.asarray(points.get_offsets())[:, 1].tolist() == [0, 0, 0, 0]


def test_umap_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ConfigError, match=r"umap is not installed; pip install 'twotower\[umap\]'"):
        embedding_map(VECTORS, COUNTS, None, "umap")
    reducer = SimpleNamespace(fit_transform=lambda vectors: vectors[:, :2])
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=lambda **_: reducer))
    assert embedding_map(VECTORS, COUNTS, None, "umap").axes[0].get_title() == "UMAP"
