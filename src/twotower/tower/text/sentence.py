"""Texts encoded by a pretrained sentence encoder."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import polars as pl
import torch
from pydantic import PositiveInt
from torch import Generator, Tensor, nn

from twotower.core.component import component
from twotower.core.errors import ConfigError, ErrorEntry

__all__ = ["SavedText", "SentenceText", "without_encoder"]


class SavedText(nn.Module):
    """The vectors that a SentenceText had when its model was saved, which are among its weights.

    A stored model is loaded with it in the place of SentenceText: the name of an encoder is the
    name of code on a hub, and the vectors are there already.
    """

    vectors: Tensor

    def __init__(
        self,
        width: PositiveInt,
        *,
        texts: pl.Series,
        n_train: int,  # as for SentenceText
        dim: int,
        generator: Generator,  # all weights are loaded
    ) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.zeros(len(texts), width))
        self.weight = nn.Parameter(torch.zeros(dim, width))

    def forward(self, rows: Tensor) -> Tensor:
        """See SentenceText."""
        return self.vectors[rows] @ self.weight.T


@component
class SentenceText(nn.Module):
    """Vectors of a frozen encoder of the library sentence-transformers, projected by a trained
    matrix (Reimers and Gurevych 2019, EMNLP, "Sentence-BERT").

    Each distinct text is encoded once, when the tower is built; the encoder is not kept.
    """

    trusted_only = True  # not by a stored config: the encoder may bring code
    vectors: Tensor

    def __init__(
        self,
        model: str,
        batch_size: PositiveInt,
        *,
        texts: pl.Series,
        n_train: int,  # nothing is learned of the texts themselves
        dim: int,
        generator: Generator,
    ) -> None:
        """Load the encoder; raise ConfigError if the library is missing or has no such model."""
        super().__init__()
        self.register_buffer("vectors", _encoded(_encoder(model), texts, batch_size))
        # A vector has length 1, so what is given of it starts at a length of about 1.
        weight = torch.empty(dim, self.vectors.shape[1]).normal_(std=dim**-0.5, generator=generator)
        self.weight = nn.Parameter(weight)

    def forward(self, rows: Tensor) -> Tensor:
        """Return [M, dim] for `rows` ([M] int64)."""
        return self.vectors[rows] @ self.weight.T


def without_encoder(tower: Any, weights: Mapping[str, Tensor]) -> Any:
    """Replace each SentenceText in the node of a stored tower by a SavedText; weights: of both."""
    if not isinstance(tower, Mapping):
        return tower
    if tower.get("_target_") == f"{SentenceText.__module__}.{SentenceText.__qualname__}":
        saved = [w for key, w in weights.items() if key.endswith(".vectors")]
        width = next((w.shape[1] for w in saved if w.dim() == 2), 1)
        saved_text = f"{SavedText.__module__}.{SavedText.__qualname__}"
        return {"_target_": saved_text, "_partial_": True, "width": width}
    return {key: without_encoder(node, _of_side(weights, key)) for key, node in tower.items()}


def _of_side(weights: Mapping[str, Tensor], key: str) -> Mapping[str, Tensor]:
    """Return the keys of one side of a pair of towers."""
    if key not in ("user", "item"):
        return weights
    return {name: w for name, w in weights.items() if name.startswith(f"{key}_tower.")}


def _encoder(model: str) -> Any:
    try:
        library = import_module("sentence_transformers")
    except ImportError as error:
        raise ConfigError(
            ErrorEntry(
                "",
                problem="`sentence` needs sentence-transformers, which is not installed",
                valid="pip install 'twotower[text]', or use `ngrams`",
            )
        ) from error
    try:
        return library.SentenceTransformer(model)
    except (OSError, ValueError) as error:
        wrong = "which sentence-transformers cannot load"
        valid = f"expected a name on the Hugging Face hub or a folder ({error})"
        raise ConfigError(ErrorEntry("model", model, wrong, valid)) from error


def _encoded(encoder: Any, texts: pl.Series, batch_size: int) -> Tensor:
    """Return [n, width] float32 of length 1; zeros if a text is unknown or empty."""
    filled = texts.fill_null("").str.strip_chars()
    distinct = filled.unique().sort()
    vectors = encoder.encode(
        distinct.to_list(),
        batch_size=batch_size,
        normalize_embeddings=True,
        convert_to_numpy=True,
        show_progress_bar=False,
    )
    vectors = vectors * (distinct != "").to_numpy()[:, None]
    places = distinct.search_sorted(filled).to_numpy()
    return torch.from_numpy(vectors[places]).float()
