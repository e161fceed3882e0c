"""The contract of history encoders."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated, Protocol

from torch import Tensor

from twotower.config import Contract

__all__ = ["Encoder", "EncoderFactory"]


class Encoder(Protocol):
    """A torch module that encodes the items a user interacted with as one vector.

    To add an encoder, write an nn.Module and name it, with `_partial_: true`, in a YAML file of the
    encoder's config group. Its constructor takes the YAML keys, then, after `*`, `emb_dim`,
    `history_length` (of the longest history) and `generator`, from which it must draw all its
    initial weights.

    Attributes:
        ordered: Whether the order of the items matters; the log must then have timestamps.
    """

    ordered: bool

    @abstractmethod
    def __call__(self, items: Tensor, valid: Tensor) -> Tensor:
        """Return one vector per history.

        Args:
            items: [B, L, emb_dim] item embeddings, the newest last; zeros where not valid.
            valid: [B, L] bool.

        Returns:
            [B, emb_dim] float, finite. Where no item is valid, any finite vector: it is ignored.
        """
        ...


# What a node of the group `tower/encoder` is instantiated as.
EncoderFactory = Annotated[
    Callable[..., Encoder], Contract(Encoder, given=("emb_dim", "history_length", "generator"))
]
