"""`twotower export`: a model in the formats of other tools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt
from typing_extensions import TypedDict

from twotower.commands.models import found_model, load_model, trained_dataset
from twotower.commands.new_items import read_new_items
from twotower.core.component import component
from twotower.core.console import terminal
from twotower.core.errors import ConfigError
from twotower.core.files import write_atomically
from twotower.core.writable import require_writable_folder
from twotower.serving.export.exported import Exported
from twotower.serving.export.indexes import Distance, FaissIndex, UsearchIndex, write_index
from twotower.serving.export.onnx import write_onnx
from twotower.serving.export.vectors import (
    write_numpy,
    write_parquet,
    write_projector,
    write_torch,
)
from twotower.tracking.mlflow_tracking import MlflowTracking

__all__ = ["Export"]

Format = Literal["parquet", "numpy", "torch", "onnx", "faiss", "usearch", "projector"]


class Faiss(TypedDict):
    """How an index of faiss is built and searched."""

    factory: Annotated[str, Field(min_length=1)] | None
    search: str | None


class Usearch(TypedDict):
    """How an index of usearch is built and searched."""

    connectivity: Annotated[int, Field(ge=2)]
    expansion_search: PositiveInt


@component
@dataclass(frozen=True)
class Export:
    """Settings of the command; each is explained in conf/export.yaml."""

    run: str
    format: Format
    distance: Distance
    faiss: Faiss
    usearch: Usearch
    items_path: str | None
    out: str
    allow_targets: list[str]
    output_dir: str
    tracking: MlflowTracking

    def __call__(self) -> None:
        """Write the files to the folder `out`, which is replaced as a whole."""
        folder = Path(self.out)
        require_writable_folder("out", folder)
        if folder.exists() and not (folder.is_dir() and (folder / _MARK).is_file()):
            raise ConfigError(
                f"out: got {self.out!r}, which is there and is no earlier export; "
                "must be a new folder"
            )
        found = found_model(self.tracking, self.run)
        recommender = load_model(found, self.allow_targets)
        if self.items_path is not None:
            new = read_new_items(self.items_path, trained_dataset(found))
            recommender = recommender.with_items(new)
        model = Exported(recommender)
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(folder, lambda scratch: self._write(model, scratch, found.title))
        files = ", ".join(sorted(p.name for p in folder.iterdir() if p.name != _MARK))
        terminal().print(f"{found.title}: {files} written to {folder}")

    def _write(self, model: Exported, folder: Path, title: str) -> None:
        folder.mkdir()
        writers: dict[Format, Callable[[Exported, Path], None]] = {
            "parquet": write_parquet,
            "numpy": write_numpy,
            "torch": write_torch,
            "onnx": write_onnx,
            "projector": write_projector,
            "faiss": self._faiss,
            "usearch": self._usearch,
        }
        writers[self.format](model, folder)
        (folder / _MARK).write_text(f"{title}\nformat: {self.format}\n")

    def _faiss(self, model: Exported, folder: Path) -> None:
        index = FaissIndex(model.items.vectors, self.distance, **self.faiss)
        write_index(model, index, folder / "items.faiss")

    def _usearch(self, model: Exported, folder: Path) -> None:
        index = UsearchIndex(model.items.vectors, self.distance, **self.usearch)
        write_index(model, index, folder / "items.usearch")


_MARK = "twotower.txt"  # of an export: which model it is of
