"""Texts as hashed n-grams."""

from __future__ import annotations

import polars as pl
import pytest
import torch

from twotower.config import compose
from twotower.core.errors import ConfigError
from twotower.tower.text.ngrams import NgramText

TEXTS = [
    "Toy Story",
    "toy  STORY!",
    "Story Toy",
    None,
    "",
    "Heat",
    "toy Heat",
    "zebra",
    "Heat zebra",
]


def made(
    words: tuple[int, int] | None = (1, 1),
    characters: tuple[int, int] | None = None,
    *,
    texts: list[str | None] = TEXTS,
    n_train: int = 7,
    num_buckets: int = 2**20,
    seed: int = 0,
) -> NgramText:
    return NgramText(
        words,
        characters,
        num_buckets,
        texts=pl.Series(texts, dtype=pl.String),
        n_train=n_train,
        dim=4,
        generator=torch.Generator().manual_seed(seed),
    )


def vectors(encoder: NgramText) -> torch.Tensor:
    found: torch.Tensor = encoder(torch.arange(len(encoder.offsets) - 1))
    return found.detach()


def test_a_text_is_the_mean_of_its_words() -> None:
    got = vectors(made())
    # Words of train: toy, story, heat. Case, marks and order say nothing to words alone.
    assert torch.equal(got[0], got[1])
    assert torch.equal(got[0], got[2])
    # (toy + story) / 2 and heat, so toy = 2 "toy Heat" - "Heat" and story = 2 "Toy Story" - toy.
    heat, toy = got[5], 2 * got[6] - got[5]
    texts: list[str | None] = ["Toy Story", "heat", "toy"]
    alone = vectors(made(texts=[*texts, *TEXTS[3:6], "toy"]))
    assert not torch.equal(heat, toy)
    torch.testing.assert_close(alone[2], alone[6])


def test_unknown_and_empty_texts_and_words_that_train_lacks_are_zeros() -> None:
    got = vectors(made())
    assert not got[[3, 4, 7]].any()
    assert torch.equal(got[8], got[5])  # of "Heat zebra" train knows Heat
    assert got[[0, 5, 6]].any(dim=1).all()


def test_two_words_in_a_row_tell_their_order() -> None:
    got = vectors(made(words=(1, 2)))
    assert torch.equal(got[0], got[1])
    assert not torch.equal(got[0], got[2])


def test_a_word_of_one_letter_counts() -> None:
    assert made(texts=["I, Z", "M"], n_train=2).weight.shape == (3, 4)


def test_runs_of_characters_liken_words_of_one_stem() -> None:
    # With a space at both ends " heat " holds the threes " he", "hea", "eat", "at ", of which
    # " heats " shares the first three of its five.
    encoder = made(words=None, characters=(3, 3), texts=["heat", "heats"], n_train=1)
    assert encoder.offsets.tolist() == [0, 4, 7]
    assert set(encoder.values[4:].tolist()) < set(encoder.values[:4].tolist())


def test_words_and_characters_are_not_hashed_into_the_same_buckets() -> None:
    # "ab" is one word, and the threes " ab" and "ab ": 1 + 2, in one bucket each 1 + 1.
    assert len(made((1, 1), (3, 3), texts=["ab"], n_train=1).weight) == 3
    assert len(made((1, 1), (3, 3), texts=["ab"], n_train=1, num_buckets=1).weight) == 2


def test_cold_texts_do_not_change_what_is_learned() -> None:
    with_cold, without = made(), made(texts=TEXTS[:7])
    assert torch.equal(with_cold.weight, without.weight)
    assert torch.equal(vectors(with_cold)[:7], vectors(without))


def test_one_text_has_one_vector_in_any_process() -> None:
    words: list[str | None] = ["heat", "toy", "story", "zebra", "casino", "babe", "jumanji", "été"]
    # MurmurHash3 (32 bits, seed 0), its absolute value modulo 2^20, puts them into the buckets
    # 706392, 805220, 764247, 784910, 302641, 228826, 12185 and 222735: these are their ranks.
    assert made(texts=words, n_train=8).values.tolist() == [4, 7, 5, 6, 3, 2, 0, 1]


def test_nothing_to_look_for_and_spans_from_long_to_short_are_refused() -> None:
    with pytest.raises(ConfigError, match="got null for both") as error:
        compose(
            "train",
            ["tower=features", "tower.text.words=null", "tower.text.characters=null"],
        )
    with pytest.raises(ConfigError, match=r"tower.text.characters: got \[4, 3\]") as error:
        compose("train", ["tower=features", "tower.text.characters=[4,3]"])
    assert "[3, 4]" in str(error.value)
