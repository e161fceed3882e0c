"""Texts as hashed n-grams of words and characters."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import torch
from pydantic import PositiveInt
from torch import Generator, Tensor

from twotower.core.component import component, rule
from twotower.core.errors import ErrorEntry
from twotower.tower.text.bag import Bag

__all__ = ["NgramText"]

# sklearn's own leaves out words of one letter.
_WORD = r"(?u)\b\w+\b"


@component
class NgramText(Bag):
    """The mean of a trained vector for each n-gram of words, and of characters, of a text.

    N-grams are hashed into buckets by MurmurHash3, the same everywhere (Weinberger et al. 2009,
    ICML, "Feature hashing for large scale multitask learning"); runs of characters make words that
    share a stem alike (Bojanowski et al. 2017, TACL, "Enriching word vectors with subword
    information"). Case is ignored. N-grams that no train text has are left out.
    """

    def __init__(
        self,
        words: tuple[PositiveInt, PositiveInt] | None,
        characters: tuple[PositiveInt, PositiveInt] | None,
        num_buckets: PositiveInt,
        *,
        texts: pl.Series,
        n_train: int,
        dim: int,
        generator: Generator,
    ) -> None:
        known = texts.fill_null("").to_list()
        spans = {"word": words, "char_wb": characters}
        pairs = [
            _hashed(known, analyzer, span, num_buckets) + torch.tensor([[0], [place * num_buckets]])
            for place, (analyzer, span) in enumerate(spans.items())
            if span is not None
        ]
        rows, values = torch.cat(pairs, dim=1)
        super().__init__(rows, values, n=len(known), n_train=n_train, dim=dim, generator=generator)

    @staticmethod
    @rule
    def spans_fit(
        words: tuple[int, int] | None, characters: tuple[int, int] | None
    ) -> Iterator[ErrorEntry]:
        """Yield an error if both spans are null, or a span is in reverse order."""
        if words is None and characters is None:
            yield ErrorEntry(
                "words",
                problem="got null for both words and characters",
                valid="set at least one",
            )
        for key, span in (("words", words), ("characters", characters)):
            if span is not None and span[0] > span[1]:
                valid = f"expected the shorter length first: {list(span)[::-1]}"
                yield ErrorEntry(key, list(span), valid=valid)


def _hashed(texts: list[str], analyzer: str, span: tuple[int, int], num_buckets: int) -> Tensor:
    """Return [2, m] int64: the row and the bucket of each distinct n-gram of each text."""
    from sklearn.feature_extraction.text import HashingVectorizer  # takes a second to import

    vectorizer = HashingVectorizer(
        analyzer=analyzer,
        token_pattern=_WORD if analyzer == "word" else None,
        ngram_range=tuple(span),
        n_features=num_buckets,
        norm=None,
        alternate_sign=False,
    )
    found = vectorizer.transform(texts).tocoo()
    return torch.stack([torch.from_numpy(found.row).long(), torch.from_numpy(found.col).long()])
