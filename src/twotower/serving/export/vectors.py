"""Embeddings of both sides with their ids: Parquet, NumPy, torch, TensorBoard's projector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import torch

from twotower.serving.export.exported import Exported

__all__ = ["write_numpy", "write_parquet", "write_projector", "write_torch"]


def write_parquet(model: Exported, folder: Path) -> None:
    """Write `users.parquet` and `items.parquet`: the id, and `vector`, a list of floats."""
    for side in model.sides:
        vectors = pl.Series("vector", side.vectors).cast(pl.List(pl.Float32))
        pl.DataFrame([side.ids, vectors]).write_parquet(folder / f"{side.name}.parquet")


def write_numpy(model: Exported, folder: Path) -> None:
    """Write `user_vectors.npy` [n, D], `user_ids.npy` [n], and likewise for items."""
    for side in model.sides:
        kind = side.name.removesuffix("s")
        np.save(folder / f"{kind}_vectors.npy", side.vectors, allow_pickle=False)
        ids = side.ids.to_numpy()
        texts = ids.astype(str) if ids.dtype == object else ids
        np.save(folder / f"{kind}_ids.npy", texts, allow_pickle=False)


def write_torch(model: Exported, folder: Path) -> None:
    """Write `vectors.pt`, the tensors `users` and `items`, for `torch.load(weights_only=True)`, and
    the ids of their rows as Parquet."""
    tensors = {side.name: torch.from_numpy(side.vectors) for side in model.sides}
    torch.save(tensors, folder / "vectors.pt")
    for side in model.sides:
        side.write_ids(folder)


def write_projector(model: Exported, folder: Path) -> None:
    """Write `items.tsv` and `items_metadata.tsv`, and `projector_config.pbtxt` that names them."""
    config = []
    for side in model.sides:
        name = side.name
        np.savetxt(folder / f"{name}.tsv", side.vectors, fmt="%.7g", delimiter="\t")
        metadata = side.metadata()
        # A file with one column has no header, says the projector.
        metadata.write_csv(
            folder / f"{name}_metadata.tsv", separator="\t", include_header=metadata.width > 1
        )
        config.append(
            f'embeddings {{\n  tensor_name: "{name}"\n  tensor_path: "{name}.tsv"\n'
            f'  metadata_path: "{name}_metadata.tsv"\n}}\n'
        )
    (folder / "projector_config.pbtxt").write_text("".join(config))
