"""Indexes of the items for nearest-neighbour search, by inner product or cosine."""

from __future__ import annotations

from math import isqrt
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from twotower.core.errors import ConfigError
from twotower.core.libraries import library
from twotower.serving.export.exported import Exported
from twotower.serving.recommender import Vectors

__all__ = ["Distance", "FaissIndex", "ItemIndex", "UsearchIndex", "write_index"]

Distance = Literal["dot", "cosine"]

_EXACT = 10_000  # items, up to which an exact search takes less than a millisecond


class ItemIndex(Protocol):
    """An index of item embeddings, row r of it being item r."""

    def search(self, users: Vectors, k: int) -> tuple[NDArray[np.int64], Vectors]:
        """Return the rows of the `k` nearest items, -1 where there are fewer, and their scores.

        Args:
            users: [B, D] user embeddings.
            k: Length of the lists.

        Returns:
            [B, k] int64 rows, best first, and [B, k] float32: dot products or cosines.
        """
        ...

    def save(self, file: Path) -> None:
        """Write the index in the library's own format."""
        ...


class FaissIndex:
    """An index of faiss (extra `faiss`).

    Args:
        items: [n, D] item embeddings.
        distance: `dot` or `cosine`; cosines are the dot products of normalised vectors, and faiss
            stores these.
        factory: What `faiss.index_factory` builds, such as `Flat` (exact), `HNSW32` or
            `IVF512,Flat`; None: `Flat` for up to 10,000 items, else IVF with as many lists as the
            square root of their number, 32 of which are searched.
        search: Parameters of the search, such as `efSearch=128` or `nprobe=16`; None for faiss's
            own.
    """

    def __init__(
        self, items: Vectors, distance: Distance, factory: str | None, search: str | None
    ) -> None:
        faiss = library("faiss", "faiss")
        if factory is None and len(items) > _EXACT:
            factory, search = f"IVF{isqrt(len(items))},Flat", search or "nprobe=32"
        factory = factory or "Flat"
        self._faiss, self._distance = faiss, distance
        try:
            self._index = faiss.index_factory(items.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
        except RuntimeError as error:
            raise ConfigError(
                f"faiss.factory: got {factory!r}, which faiss cannot build; must be such as Flat, "
                "HNSW32 or IVF512,Flat"
            ) from error
        vectors = _normalised(items) if distance == "cosine" else np.ascontiguousarray(items)
        self._index.train(vectors)
        self._index.add(vectors)
        if search is not None:
            self.set_search(search)

    def set_search(self, search: str) -> None:
        """Set parameters of the search, such as `nprobe=16`."""
        self._faiss.ParameterSpace().set_index_parameters(self._index, search)

    def search(self, users: Vectors, k: int) -> tuple[NDArray[np.int64], Vectors]:
        """See ItemIndex."""
        vectors = _normalised(users) if self._distance == "cosine" else np.ascontiguousarray(users)
        scores, rows = self._index.search(vectors, k)
        return rows, scores

    def save(self, file: Path) -> None:
        """See ItemIndex."""
        self._faiss.write_index(self._index, str(file))


class UsearchIndex:
    """An HNSW index of usearch (extra `usearch`).

    Args:
        items: [n, D] item embeddings.
        distance: `dot` or `cosine`.
        connectivity: Links per item, 2 or more.
        expansion_search: Items that a search visits at least.
    """

    def __init__(
        self, items: Vectors, distance: Distance, connectivity: int, expansion_search: int
    ) -> None:
        index = library("usearch.index", "usearch")
        self._distance = distance
        # usearch's `ip` is right for vectors of any length, but its graph is not: an item of great
        # length would be every item's neighbour. Items on a sphere of one dimension more have the
        # same order of dot products (Bachrach et al. 2014, RecSys), and are searched by cosine.
        self._index: Any = index.Index(
            ndim=items.shape[1] + (distance == "dot"),
            metric="cos",
            dtype="f32",
            connectivity=connectivity,
            expansion_search=expansion_search,
        )
        self._longest = float(np.linalg.norm(items, axis=1).max()) if distance == "dot" else 1.0
        self._index.add(np.arange(len(items)), self._on_sphere(items), threads=1)

    def _on_sphere(self, items: Vectors) -> Vectors:
        if self._distance == "cosine":
            return items
        squares = np.square(items, dtype=np.float64).sum(1)
        last = np.sqrt(np.maximum(self._longest**2 - squares, 0))
        return np.hstack([items, last[:, None]]).astype(np.float32)

    def search(self, users: Vectors, k: int) -> tuple[NDArray[np.int64], Vectors]:
        """See ItemIndex."""
        queries = users
        if self._distance == "dot":
            queries = np.hstack([users, np.zeros((len(users), 1), np.float32)])
        k = min(k, len(self._index))
        matches = self._index.search(queries, k, threads=1)
        keys = np.atleast_2d(matches.keys).astype(np.int64)
        cosines = 1 - np.atleast_2d(matches.distances)
        if self._distance == "dot":
            cosines = cosines * np.linalg.norm(users, axis=1)[:, None] * self._longest
        return keys, cosines.astype(np.float32)

    def save(self, file: Path) -> None:
        """See ItemIndex."""
        self._index.save(str(file))


def write_index(model: Exported, index: ItemIndex, file: Path) -> None:
    """Write the index to `file`, the embeddings of users to `user_vectors.npy`, and the ids of the
    rows of both as Parquet."""
    index.save(file)
    np.save(file.with_name("user_vectors.npy"), model.users.vectors, allow_pickle=False)
    for side in model.sides:
        side.write_ids(file.parent)


def _normalised(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.maximum(lengths, 1e-12))
