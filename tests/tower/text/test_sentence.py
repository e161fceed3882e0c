"""Texts through a frozen sentence encoder: a made one everywhere, a tiny real one where the library
is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from twotower.core.errors import ConfigError
from twotower.tower.text.sentence import SentenceText

TEXTS = ["bb", "a", None, " ", "bb", "ccc"]


class MadeEncoder:
    """The vector of a text is its number of letters and 1, brought to length 1 where asked."""

    calls: list[tuple[list[str], int]]

    def __init__(self, model: str) -> None:
        if model == "missing":
            raise OSError("missing is not a folder")
        MadeEncoder.calls = []

    def encode(
        self,
        texts: list[str],
        *,
        batch_size: int,
        normalize_embeddings: bool,
        convert_to_numpy: bool,
        show_progress_bar: bool,
    ) -> Any:
        assert normalize_embeddings
        assert convert_to_numpy
        assert not show_progress_bar
        MadeEncoder.calls.append((texts, batch_size))
        vectors = np.array([[float(len(text)), 1.0] for text in texts], dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    made = SimpleNamespace(SentenceTransformer=MadeEncoder)
    monkeypatch.setitem(sys.modules, "sentence_transformers", made)


def made(texts: list[str | None] = TEXTS, model: str = "tiny", seed: int = 0) -> SentenceText:
    return SentenceText(
        model,
        2,
        texts=pl.Series(texts, dtype=pl.String),
        n_train=4,
        dim=3,
        generator=torch.Generator().manual_seed(seed),
    )


@pytest.mark.usefixtures("library")
def test_a_text_is_its_vector_projected() -> None:
    encoder = made()
    weight = torch.tensor([[5.0**0.5, 0.0], [0.0, 10.0**0.5], [0.0, 0.0]])
    encoder.load_state_dict({**encoder.state_dict(), "weight": weight})
    got = encoder(torch.arange(6))
    # "bb" is (2, 1) / sqrt(5), so (2, sqrt(2), 0); "a" (1, 1) / sqrt(2), "ccc" (3, 1) / sqrt(10).
    bb, a, ccc = (2, 2**0.5, 0), (2.5**0.5, 5**0.5, 0), (4.5**0.5, 1, 0)
    expected = torch.tensor([bb, a, (0, 0, 0), (0, 0, 0), bb, ccc])
    torch.testing.assert_close(got, expected)


@pytest.mark.usefixtures("library")
def test_each_distinct_text_is_encoded_once_and_is_not_trained() -> None:
    encoder = made()
    assert MadeEncoder.calls == [(["", "a", "bb", "ccc"], 2)]
    assert [name for name, _ in encoder.named_parameters()] == ["weight"]
    encoder(torch.tensor([0, 5])).sum().backward()
    assert encoder.weight.grad is not None
    assert encoder.weight.grad.all()


@pytest.mark.usefixtures("library")
def test_the_generator_alone_decides_the_projection() -> None:
    assert torch.equal(made(seed=1).weight, made(seed=1).weight)
    assert not torch.equal(made(seed=1).weight, made(seed=2).weight)


@pytest.mark.usefixtures("library")
def test_a_model_that_cannot_be_loaded_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^model: got 'missing'.*expected a name"):
        made(model="missing")


def test_the_error_for_a_missing_library_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ConfigError, match=r"pip install 'twotower\[text\]', or use `ngrams`"):
        made()


def _tiny_model(folder: Path) -> str:
    """A BERT of one layer with the weights of a seed, saved as sentence-transformers reads it."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "bb", "ccc"]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder / "bert")
    bert = Transformer(str(folder / "bert"))
    SentenceTransformer(modules=[bert, Pooling(8)]).save(str(folder / "model"))
    return str(folder / "model")


@pytest.mark.filterwarnings("ignore")  # the library's own
def test_a_real_encoder_gives_one_text_one_vector_of_length_one(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    model = _tiny_model(tmp_path)
    encoder, again = made(model=model), made(["ccc", "bb"], model=model)
    assert encoder.vectors.shape == (6, 8)
    torch.testing.assert_close(encoder.vectors.norm(dim=1), torch.tensor([1.0, 1, 0, 0, 1, 1]))
    assert torch.equal(encoder.vectors[0], encoder.vectors[4])
    torch.testing.assert_close(encoder.vectors[[5, 0]], again.vectors)
    assert not torch.allclose(encoder.vectors[0], encoder.vectors[1])
