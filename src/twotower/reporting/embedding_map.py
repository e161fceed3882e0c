"""A figure of the item embeddings: in two dimensions, and their length against popularity."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from twotower.core.libraries import library
from twotower.reporting.style import COLORS, tidy

__all__ = ["Projection", "embedding_map", "item_classes"]

Projection = Literal["pca", "umap"]
Floats = NDArray[np.float32]

_MOST_ITEMS = 5_000  # drawn, and projected by UMAP
_MOST_CLASSES = len(COLORS)
_MOST_VALUES = 50  # of a feature that items are coloured by
_OTHERS = "others"
_WIDTH, _HEIGHT = 11.0, 4.8  # inches


def embedding_map(
    vectors: Floats, counts: NDArray[np.int64], classes: pl.Series | None, projection: Projection
) -> Figure:
    """Draw items in two dimensions, and the length of their embeddings against popularity.

    Args:
        vectors: [n, D] item embeddings.
        counts: [n], interactions of each item in train.
        classes: [n] text, a value of a feature that items are coloured by; None colours them by
            popularity.
        projection: `pca`, or `umap` (extra `umap`).

    Raises:
        ConfigError: The library of the projection is not installed.
    """
    lengths = np.linalg.norm(vectors, axis=1)
    drawn = np.random.default_rng(0).permutation(len(vectors))[:_MOST_ITEMS]
    points, title = _projected(vectors[drawn], projection)
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    places, popularity = figure.subplots(1, 2)
    if classes is None:
        shade = places.scatter(*points.T, c=np.log10(counts[drawn] + 1), s=8, cmap="viridis")
        figure.colorbar(shade, ax=places, label="log10(1 + interactions)")
    else:
        _draw_classes(places, points, classes.gather(drawn))
    places.set(title=title, xticks=[], yticks=[])
    popularity.scatter(counts[drawn] + 1, lengths[drawn], s=8, color=COLORS[0], alpha=0.5)
    popularity.set(
        xscale="log", xlabel="1 + interactions in train", ylabel="Length of the embedding"
    )
    popularity.set_title("Popularity and length")
    tidy(popularity, grid="y")
    figure.suptitle(f"Embeddings of {len(vectors):,} items" + _sampled(len(vectors)))
    return figure


def item_classes(features: pl.DataFrame | None) -> pl.Series | None:
    """Return a feature that items can be coloured by, the first value where there are many.

    It is the first column of text, or of lists of it, with 2 to 50 values; None if there is none.
    The name of the series is that of the column.
    """
    for column in [] if features is None else features.get_columns():
        is_list = isinstance(column.dtype, pl.List) and column.dtype.inner == pl.String
        if not (is_list or column.dtype in (pl.String, pl.Boolean, pl.Categorical)):
            continue
        values = column.list.first() if is_list else column.cast(pl.String)
        if 2 <= values.drop_nulls().n_unique() <= _MOST_VALUES:
            return values.alias(column.name)
    return None


def _projected(vectors: Floats, projection: Projection) -> tuple[Floats, str]:
    """Return [n, 2] and the title."""
    if projection == "umap":
        umap = library("umap", "umap")
        reducer = umap.UMAP(n_components=2, random_state=0, n_jobs=1)
        return np.asarray(reducer.fit_transform(vectors), np.float32), "UMAP"
    from sklearn.decomposition import PCA

    n = min(2, *vectors.shape)
    pca = PCA(n, svd_solver="covariance_eigh").fit(vectors)
    points = np.zeros((len(vectors), 2), np.float32)
    points[:, :n] = pca.transform(vectors)
    share = float(np.nan_to_num(pca.explained_variance_ratio_).sum())
    return points, f"PCA, {share:.0%} of the variance"


def _draw_classes(axes: Axes, points: Floats, classes: pl.Series) -> None:
    """Draw points in the colors of the most frequent classes, and the others in grey."""
    frequent = classes.drop_nulls().value_counts(sort=True)[classes.name].head(_MOST_CLASSES)
    named = classes.is_in(frequent.implode()).fill_null(False)
    if not named.all():
        axes.scatter(*_both(points, ~named), s=6, color="0.8", label=_OTHERS)
    for number, value in enumerate(frequent):
        chosen = (classes == value).fill_null(False)
        axes.scatter(*_both(points, chosen), s=8, color=COLORS[number], label=str(value))
    axes.legend(frameon=False, fontsize="small", title=classes.name, markerscale=2)


def _both(points: Floats, chosen: pl.Series) -> tuple[Floats, Floats]:
    """Return the two coordinates of the chosen points."""
    kept = points[chosen.to_numpy()]
    return kept[:, 0], kept[:, 1]


def _sampled(n: int) -> str:
    return f", {_MOST_ITEMS:,} of them drawn" if n > _MOST_ITEMS else ""
