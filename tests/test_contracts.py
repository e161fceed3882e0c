"""Each choice of each config group keeps its contract; a new file in conf/ is tested as it is."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache, partial, reduce
from operator import getitem
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import polars as pl
import pytest
import torch
import yaml
from hydra.utils import get_object
from hypothesis import strategies as st
from scipy.stats import chi2
from torch import Generator, Tensor, nn

from twotower.config import CONF_DIR, build, check, compose
from twotower.config.instantiate import instantiate
from twotower.config.targets import Targets
from twotower.core.component import parameters
from twotower.core.errors import ConfigError
from twotower.core.values import value_errors
from twotower.loss import SampledSoftmax, weight_error
from twotower.model import TwoTower
from twotower.sweeping.sweep_settings import SweepSettings
from twotower.tower import HistoryEncoder
from twotower.training.batches import Batches
from twotower.training.fold_batches import FoldBatches
from twotower.types import (
    Fold,
    Histories,
    Holdout,
    ItemLists,
    Negatives,
    Scores,
    Side,
    TrainInteractions,
    Vocabulary,
)

NO_GROUPS = ("hydra", "experiment/sweeps")  # Hydra's own groups, and recipes in a subfolder
GROUPS = sorted(
    group
    for folder in CONF_DIR.rglob("*")
    if folder.is_dir() and not (group := str(folder.relative_to(CONF_DIR))).startswith(NO_GROUPS)
)
CHOICES = [
    (group, path.stem) for group in GROUPS for path in sorted((CONF_DIR / group).glob("*.yaml"))
]
RECIPES = ("experiment", "debug")  # values for keys of other groups
# Groups where each choice is a class of its own, in a file of its own.
ONE_FILE_PER_CHOICE = (
    *("baselines", "loss", "negative_sampling", "split", "tower", "tower/encoder", "tower/text"),
    "tower/prior",
)
FOLDERS = {"trainer": "training", "trainer/scheduler": "training/scheduler"}


def choices(group: str) -> list[str]:
    found = [choice for name, choice in CHOICES if name == group]
    assert found, f"conf/{group} is empty"
    return found


# Nested groups, and the tower whose key of that name they fill.
PARTS_OF_TOWERS = {"tower/encoder": "history", "tower/text": "features"}


@cache
def composed(group: str, choice: str) -> dict[str, Any]:
    """The whole config with that choice, and something for each value that only users know."""
    raw = yaml.safe_load((CONF_DIR / group / f"{choice}.yaml").read_text())
    unset = [f"{group}.{key}=given" for key, value in raw.items() if value == "???"]
    if group in PARTS_OF_TOWERS:
        return compose("train", [f"tower={PARTS_OF_TOWERS[group]}", f"{group}={choice}"])
    return compose("train", [f"{group}={choice}", *unset])


def node_of(group: str, choice: str) -> dict[str, Any]:
    """The node of that choice alone."""
    node = composed(group, choice)
    for key in group.split("/"):
        node = node[key]
    node = node[choice] if group == "baselines" else node
    return {key: value for key, value in node.items() if key != "prior"}


# Keys of conf/train.yaml that only `SweepSettings` reads.
OF_SWEEPS = {"seeds", "folds", "comparison"}


def one_run(config: dict[str, Any]) -> dict[str, Any]:
    """A whole config without the keys that describe several runs; that of another command as is."""
    of_run = config["_target_"].endswith(".Experiment")
    return {key: value for key, value in config.items() if not of_run or key not in OF_SWEEPS}


# Keys of a node that are not arguments of the class it names; a model reads `tower.prior`.
NOT_FOR_THE_CLASS = {"_target_", "_partial_", "prior"}


def own_nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every node below `value` whose class is one of twotower's."""
    if isinstance(value, dict):
        if str(value.get("_target_")).startswith("twotower."):
            yield value
        for child in value.values():
            yield from own_nodes(child)
    elif isinstance(value, list):
        for child in value:
            yield from own_nodes(child)


def test_the_groups_are_the_documented_ones() -> None:
    assert {
        *("dataset", "preprocessing", "split", "negative_sampling", "tower", "loss", "optimizer"),
        *("evaluation", "trainer", "tracking", "experiment"),
    } <= set(GROUPS)
    assert len(CHOICES) > 30


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_a_choice_composes_and_yaml_is_the_one_place_of_its_values(group: str, choice: str) -> None:
    nodes = list(own_nodes(one_run(composed(group, choice))))
    assert nodes
    for node in nodes:
        parameters = inspect.signature(get_object(node["_target_"])).parameters.values()
        from_yaml = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert node.keys() - NOT_FOR_THE_CLASS == {p.name for p in from_yaml}
        assert [p.name for p in from_yaml if p.default is not p.empty] == [], node["_target_"]


@pytest.mark.parametrize("group", [group for group in GROUPS if group not in RECIPES])
def test_a_choice_and_a_file_share_one_name(group: str) -> None:
    nodes = {choice: node_of(group, choice) for choice in choices(group)}
    targets = {
        name: node["_target_"].split(".") for name, node in nodes.items() if "_target_" in node
    }
    files = {choice: path[-2] for choice, path in targets.items() if path[0] == "twotower"}
    packages = {"/".join(path[1:-2]) for path in targets.values() if path[0] == "twotower"}
    assert packages <= {FOLDERS.get(group, group)}
    if group in ONE_FILE_PER_CHOICE:
        assert files == {choice: choice for choice in targets}
    for choice, file in files.items():  # elsewhere choices may be other values for one class
        shared = list(files.values()).count(file) > 1
        assert shared or file in (choice, group, FOLDERS.get(group))


FILES = sorted(path for path in CONF_DIR.rglob("*.yaml") if "hydra" not in path.parts)
NO_COMMENT = {"_target_", "_partial_", "defaults", "hydra", "tracking"}


def uncommented(text: str) -> Iterator[str]:
    """The keys without a comment on their line or, up to an empty line, above them."""
    above = False
    for line in text.splitlines():
        key = re.match(r"\s*(\w+):", line)
        if not line.strip():
            above = False
        elif line.lstrip().startswith("#"):
            above = True
        elif key and "#" in line:
            above = False
        elif key and key[1] not in NO_COMMENT and not above:
            yield key[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF_DIR)))
def test_every_value_is_explained_in_place(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# "), "the first line describes the choice"
    # A recipe gives values to keys that are explained elsewhere; so does what follows `hydra:`.
    if path.parent.name not in RECIPES:
        assert list(uncommented(text.partition("\nhydra:")[0])) == []


def test_a_key_without_a_comment_is_found() -> None:
    assert list(uncommented("# what\na: 1\n\nb: 2\nc: 3  # why\nd:\n  e: 1\n")) == ["b", "d", "e"]


# --- validation

WRONG: tuple[Any, ...] = (-(10**9), "no such value", 2.5, True, None, {"no": "such"}, [])


def wrong_values(hint: Any) -> list[Any]:
    return [value for value in WRONG if list(value_errors("x", value, hint))]


def from_python(node: dict[str, Any], key: str, value: Any) -> str:
    """Return the error of the component, made from the node without what comes from a run."""
    target = get_object(node["_target_"])
    given = {k: instantiate(v, Targets()) for k, v in node.items() if not k.startswith("_")}
    places = inspect.signature(target).parameters.values()
    from_run = {p.name: None for p in places if p.name not in given and p.default is p.empty}
    with pytest.raises(ConfigError) as caught:
        target(**from_run | given | {key: value})
    return str(caught.value)


def from_yaml(node: dict[str, Any], key: str, value: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        check({**node, key: value})
    return str(caught.value).partition("\n  ")[2]


def assert_python_raises_what_yaml_does(node: dict[str, Any]) -> None:
    for key, parameter in parameters(get_object(node["_target_"]), own=True).items():
        for value in wrong_values(parameter.hint):
            text = from_python(node, key, value)
            assert text.startswith(key), node["_target_"]
            if not isinstance(value, dict | list):
                assert text.startswith(f"{key}: got {value!r}; "), node["_target_"]
                assert from_yaml(node, key, value) == text


@pytest.mark.parametrize(("group", "choice"), [each for each in CHOICES if each[0] not in RECIPES])
def test_a_component_raises_the_same_text_in_python_and_from_yaml(group: str, choice: str) -> None:
    for node in own_nodes(node_of(group, choice)):
        assert_python_raises_what_yaml_does(node)


# By group and choice, values that are valid by themselves and do not fit together.
MISFITS: list[tuple[str, str, dict[str, Any], str]] = [
    ("negative_sampling", "hard", {"num_negatives": 11}, "num_negatives"),
    ("negative_sampling", "hard", {"num_negatives": 4, "of_each": True}, "num_negatives"),
    ("negative_sampling", "mixed", {"components": {}}, "components"),
    ("negative_sampling", "mixed", {"components.shared.exclude_seen": False}, "components"),
    ("tower", "pair", {"user.emb_dim": 3}, "user.emb_dim"),
    ("tower", "pair", {"similarity": "cosine"}, "user.similarity"),
    ("tower", "embedding", {"bias": True, "similarity": "cosine"}, "bias"),
    ("split", "k_folds", {"fold": 9}, "fold"),
    ("split", "time", {"validation": False, "validation_start": "2024-01-02"}, "validation_start"),
    ("evaluation", "default", {"monitor": "recal"}, "monitor"),
    ("comparison", "default", {"metric": "ndcg"}, "metric"),
    ("trainer", "cpu", {"validate_every": 10**6}, "validate_every"),
    ("tower/encoder", "sasrec", {"n_heads": 5}, "n_heads"),
]


def changed(node: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    node = deepcopy(node)
    for path, value in changes.items():
        *above, last = path.split(".")
        reduce(getitem, above, node)[last] = value
    return node


def assert_rules_hold_in_python_and_yaml(node: dict[str, Any], path: str) -> None:
    target = get_object(node["_target_"])
    given = {k: instantiate(v, Targets()) for k, v in node.items() if not k.startswith("_")}
    places = inspect.signature(target).parameters.values()
    from_run = {p.name: None for p in places if p.name not in given and p.default is p.empty}
    with pytest.raises(ConfigError) as in_python:
        target(**from_run | given)
    with pytest.raises(ConfigError) as in_yaml:
        check(node, path="part")
    assert in_python.value.entries[0].path == path
    assert in_yaml.value.entries == in_python.value.under("part").entries


@pytest.mark.parametrize(("group", "choice", "changes", "path"), MISFITS)
def test_rules_yield_the_same_errors_in_python_and_from_yaml(
    group: str, choice: str, changes: dict[str, Any], path: str
) -> None:
    assert_rules_hold_in_python_and_yaml(changed(node_of(group, choice), changes), path)


def test_hard_candidates_of_hard_negatives_are_refused_in_python_and_from_yaml() -> None:
    hard, mixed = (node_of("negative_sampling", choice) for choice in ("hard", "mixed"))
    assert_rules_hold_in_python_and_yaml(hard | {"candidates": hard}, "candidates")
    components = {"a": hard, "b": node_of("negative_sampling", "uniform")}
    assert_rules_hold_in_python_and_yaml(mixed | {"components": components}, "components.a")


def test_the_rules_of_a_whole_run_hold_in_python_and_from_yaml() -> None:
    config = changed(compose("train", []), {"split.validation": False, "evaluation.test": "never"})
    with pytest.raises(ConfigError) as in_yaml:
        check(config, readers=(SweepSettings,))
    with pytest.raises(ConfigError) as in_python:
        build(config)
    assert in_yaml.value.entries == in_python.value.entries
    paths = [entry.path for entry in in_python.value.entries]
    assert paths == ["trainer.patience", "trainer.refit", "evaluation.test"]


COMMANDS = {
    "train": [],
    "baselines": [],
    "compare": ["sweep=latest"],
    "recommend": ["file=lists.csv"],
    "sweep": [],
    "ui": [],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_raises_the_same_text_in_python_and_from_yaml(command: str) -> None:
    assert_python_raises_what_yaml_does(one_run(compose(command, COMMANDS[command])))


# --- negative samplers

# 5 users and 8 items; user 3 has seen every item, user 4 all but one.
SEEN = {0: [0, 1], 1: [0, 2, 7], 2: [5], 3: [0, 1, 2, 3, 4, 5, 6, 7], 4: [0, 1, 2, 3, 4, 5, 6]}
N_ITEMS = 8
TRAIN = TrainInteractions(
    users=torch.tensor([user for user, items in SEEN.items() for _ in items]),
    items=torch.tensor([item for items in SEEN.values() for item in items]),
    n_users=len(SEEN),
    n_items=N_ITEMS,
)


def with_values(node: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The node with `values` where it, or a component of it, has such a key."""
    return {
        key: with_values(value, values) if isinstance(value, dict) else values.get(key, value)
        for key, value in node.items()
    }


def samplers() -> list[tuple[str, bool | None]]:
    """Every choice, with seen items excluded and not where it knows that switch."""
    switched = []
    for choice in choices("negative_sampling"):
        node = node_of("negative_sampling", choice)
        known = with_values(node, {"exclude_seen": "changed"}) != node
        switched += [(choice, flag) for flag in ((True, False) if known else (None,))]
    return switched


EACH_SAMPLER = pytest.mark.parametrize(("choice", "exclude_seen"), samplers())


def make_sampler(
    choice: str,
    exclude_seen: bool | None,
    num_negatives: int = 6,
    train: TrainInteractions = TRAIN,
    device: torch.device | None = None,
) -> Any:
    own = {"num_negatives": num_negatives, "exclude_seen": exclude_seen}
    node = with_values(node_of("negative_sampling", choice), own)
    return build(node)(train=train, device=device or torch.device("cpu"))


def batch(size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """[B] users and [B] positives: interactions of the train part."""
    rows = torch.randint(len(TRAIN), (size,), generator=generator)
    return TRAIN.users[rows], TRAIN.items[rows]


def validity(negatives: Negatives, users: Tensor) -> Tensor:
    """[B, N] bool."""
    shape = (len(users), negatives.items.shape[-1])
    return torch.ones(shape, dtype=torch.bool) if negatives.valid is None else negatives.valid


@EACH_SAMPLER
def test_a_draw_has_the_documented_shapes(choice: str, exclude_seen: bool | None) -> None:
    generator = torch.Generator().manual_seed(0)
    users, positives = batch(12, generator)
    negatives = make_sampler(choice, exclude_seen).sample(users, positives, generator)
    assert negatives.items.dtype == torch.int64
    assert negatives.items.dim() == 1 or negatives.items.shape[0] == len(users)
    assert negatives.items.min() >= 0
    assert negatives.items.max() < N_ITEMS
    assert negatives.log_expected_count.shape == negatives.items.shape
    assert negatives.log_expected_count.dtype == torch.float32
    assert torch.isfinite(negatives.log_expected_count).all()
    if negatives.valid is not None:
        assert negatives.valid.dtype == torch.bool
        assert negatives.valid.shape == (len(users), negatives.items.shape[-1])


@EACH_SAMPLER
def test_no_valid_negative_is_the_positive_or_was_seen(
    choice: str, exclude_seen: bool | None
) -> None:
    generator = torch.Generator().manual_seed(1)
    sampler = make_sampler(choice, exclude_seen)
    seen = torch.zeros(TRAIN.n_users, N_ITEMS, dtype=torch.bool)
    seen[TRAIN.users, TRAIN.items] = True
    found_valid = False
    for _ in range(20):
        users, positives = batch(64, generator)
        negatives = sampler.sample(users, positives, generator)
        valid = validity(negatives, users)
        items = negatives.items.expand(valid.shape)
        assert not (valid & (items == positives[:, None])).any()
        if exclude_seen:
            assert not (valid & seen[users[:, None], items]).any()
        found_valid |= bool(valid.any())
    assert found_valid


@EACH_SAMPLER
def test_a_user_who_has_seen_everything_has_no_negatives(
    choice: str, exclude_seen: bool | None
) -> None:
    users, positives = torch.tensor([3, 3, 0]), torch.tensor([0, 7, 1])
    generator = torch.Generator().manual_seed(2)
    negatives = make_sampler(choice, exclude_seen).sample(users, positives, generator)
    if exclude_seen:
        assert not validity(negatives, users)[:2].any()


@EACH_SAMPLER
def test_one_seed_gives_one_draw(choice: str, exclude_seen: bool | None) -> None:
    users, positives = TRAIN.users, TRAIN.items
    sampler = make_sampler(choice, exclude_seen)
    one, same, other = (
        sampler.fresh().sample(users, positives, torch.Generator().manual_seed(seed))
        for seed in (4, 4, 5)
    )
    assert torch.equal(one.items, same.items)
    assert torch.equal(one.log_expected_count, same.log_expected_count)
    if one.items.dim() == 2:  # a pool may be the batch itself
        assert not torch.equal(one.items, other.items)


@EACH_SAMPLER
def test_a_fresh_sampler_remembers_no_other_pass(choice: str, exclude_seen: bool | None) -> None:
    def two_batches(sampler: Any) -> list[list[int]]:
        generator = torch.Generator().manual_seed(8)
        draws = [sampler.sample(*batch(5, generator), generator) for _ in range(2)]
        return [draw.items.tolist() for draw in draws]

    sampler = make_sampler(choice, exclude_seen)
    first = two_batches(sampler.fresh())
    two_batches(sampler)
    assert two_batches(sampler.fresh()) == first


@EACH_SAMPLER
def test_a_draw_has_the_expected_counts_of_its_sampler(
    choice: str, exclude_seen: bool | None
) -> None:
    generator = torch.Generator().manual_seed(9)
    sampler = make_sampler(choice, exclude_seen)
    users, positives = batch(30, generator)
    negatives = sampler.sample(users, positives, generator)
    message = sampler.expected_count(users, negatives.items)
    assert message.dtype == torch.float64
    message = message.expand(negatives.items.shape)
    if negatives.items.dim() == 2:  # nothing is said of places that do not count
        assert negatives.valid is not None
        message = message.where(negatives.valid, negatives.log_expected_count.double().exp())
    torch.testing.assert_close(message.log().float(), negatives.log_expected_count)


@st.composite
def train_parts(draw: st.DrawFn) -> TrainInteractions:
    """1 to 4 users of 3 to 6 items, at least two interactions; some items may have none."""
    n_items = draw(st.integers(3, 6))
    pair = st.tuples(st.integers(0, 3), st.integers(0, n_items - 1))
    users, items = torch.tensor(sorted(draw(st.sets(pair, min_size=2)))).T
    return TrainInteractions(users, items, int(users.max()) + 1, n_items)


@EACH_SAMPLER
@hypothesis.settings(max_examples=30)
@hypothesis.given(train=train_parts(), seed=st.integers(0, 1000))
def test_on_any_train_part_seen_items_never_count_and_expected_counts_add_up(
    choice: str, exclude_seen: bool | None, train: TrainInteractions, seed: int
) -> None:
    """N places hold N items: so many are expected of all items together, where any can come."""
    generator = torch.Generator().manual_seed(seed)
    sampler = make_sampler(choice, exclude_seen, num_negatives=3, train=train)
    negatives = sampler.sample(train.users, train.items, generator)
    valid = validity(negatives, train.users)
    items = negatives.items.expand(valid.shape)
    seen = torch.zeros(train.n_users, train.n_items, dtype=torch.bool)
    seen[train.users, train.items] = True
    if exclude_seen:
        assert not (valid & seen[train.users[:, None], items]).any()
    every = torch.arange(train.n_items)
    if negatives.items.dim() == 1:
        counts = sampler.expected_count(train.users, every).expand(every.shape)
        assert counts.sum().item() == pytest.approx(items.shape[1], rel=1e-9)
    else:
        counts = sampler.expected_count(train.users, every.expand(len(train), -1))
        some = valid.any(dim=1)
        torch.testing.assert_close(
            counts.expand(len(train), -1).sum(1)[some],
            torch.full((int(some.sum()),), float(items.shape[1]), dtype=torch.float64),
        )
        if exclude_seen:
            assert not counts[seen[train.users]].any()


@EACH_SAMPLER
def test_the_softmax_gradient_tends_to_the_exact_one(
    choice: str, exclude_seen: bool | None
) -> None:
    """K draws together are a pool of K times the size, each item expected K times as often.

    As K grows, the gradient of the corrected sampled softmax tends to that over all items that do
    count, its error falling like 1 / sqrt(K): 256 times the draws, about a 16th of the error.
    """
    users, positives = torch.tensor([0, 1, 2, 4]), torch.tensor([1, 2, 5, 0])
    counts_at_all = torch.ones(len(users), N_ITEMS, dtype=torch.bool)
    if exclude_seen:
        for row, user in enumerate(users.tolist()):
            counts_at_all[row, SEEN[user]] = False
    counts_at_all[torch.arange(len(users)), positives] = False
    generator = torch.Generator().manual_seed(11)
    scored = torch.randn(len(users), N_ITEMS, generator=generator, dtype=torch.float64)
    loss = SampledSoftmax(temperature=0.7, logq_correction=True)

    def gradient(items: Tensor, log_count: Tensor) -> Tensor:
        leaf = scored.clone().requires_grad_()
        items = items.expand(len(users), -1)
        value = loss(
            Scores(
                positive=leaf.gather(1, positives[:, None])[:, 0],
                negative=leaf.gather(1, items),
                valid=counts_at_all.gather(1, items),
                log_expected_count=log_count,
            )
        )
        return torch.autograd.grad(value, leaf)[0]

    exact = gradient(torch.arange(N_ITEMS), torch.zeros(N_ITEMS))
    sampler = make_sampler(choice, exclude_seen)

    def error(n_draws: int) -> float:
        draws = []
        for _ in range(n_draws):
            fresh = sampler.fresh()
            # A pool is that of a random batch, as in training; own negatives are those of the rows.
            rows = batch(16, generator) if pooled else (users, positives)
            draws.append(fresh.sample(*rows, generator))
        items = torch.cat([draw.items for draw in draws], -1)
        log_count = torch.cat([draw.log_expected_count for draw in draws], -1).double()
        sampled = gradient(items, log_count + math.log(n_draws))
        return float((sampled - exact).norm() / exact.norm())

    pooled = sampler.fresh().sample(users, positives, generator).items.dim() == 1
    few = sum(error(1) for _ in range(10)) / 10
    many = sum(error(256) for _ in range(4)) / 4
    assert many < max(few / 6, 1e-6)
    assert many < 0.05


def epochs_of(
    choice: str, exclude_seen: bool | None, half_life: float | None, world_size: int, number: int
) -> Iterator[Batches]:
    """So many epochs of the first of `world_size` processes, as in training."""
    days = torch.arange(len(TRAIN)) * 5 % 7  # in no order of users or items
    train = replace(TRAIN, timestamps=days * 86_400 * 1_000_000)
    nothing = ItemLists(torch.zeros(1, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    fold = Fold(
        Vocabulary(pl.Series(range(TRAIN.n_users)), pl.Series(range(N_ITEMS))),
        train,
        Holdout(torch.zeros(0, dtype=torch.int64), nothing, nothing),
        train.histories,
    )
    batches = FoldBatches(
        fold,
        lambda **keys: make_sampler(choice, exclude_seen, **keys),
        batch_size=6,
        half_life=half_life,
        seed=6,
        device=torch.device("cpu"),
        history_length=None,
    )
    for epoch in range(number):
        batches.trainer = SimpleNamespace(  # type: ignore[assignment]
            current_epoch=epoch, global_rank=0, world_size=world_size
        )
        yield batches.train_batches()


@pytest.mark.parametrize("world_size", [1, 2])
@pytest.mark.parametrize("half_life", [None, 2.0])
@EACH_SAMPLER
def test_an_item_comes_as_often_as_expected(
    choice: str, exclude_seen: bool | None, half_life: float | None, world_size: int
) -> None:
    """Each valid place weighs 1 / expected count: in the mean 1 for each item that can come.

    That holds for every row, given its own positive, so also for the sum over the rows of an epoch,
    of the last, smaller batch and of a memory that is not yet full. The mean over T epochs has a
    standard error of its own, so the sum of squares of the errors in units of it is about
    chi-squared with one degree of freedom per item. Interactions are up to 8 times as likely as
    others with a half-life of 2 days.
    """
    unseen = torch.ones(TRAIN.n_users, N_ITEMS, dtype=torch.bool)
    if exclude_seen:
        unseen[TRAIN.users, TRAIN.items] = False
    totals = []
    for epoch in epochs_of(choice, exclude_seen, half_life, world_size, number=300):
        total = torch.zeros(N_ITEMS, dtype=torch.float64)
        for users, positives, negatives, *_ in epoch:
            assert len(users) > 1  # a row alone has no other rows
            valid = validity(negatives, users)
            weights = torch.exp(-negatives.log_expected_count.double()) * valid  # [B, N]
            items = negatives.items.expand(valid.shape)
            total.index_add_(0, items.flatten(), weights.flatten())
            possible = unseen[users]
            possible[torch.arange(len(users)), positives] = False
            total -= possible.sum(0)
        totals.append(total)
    errors = torch.stack(totals)
    # Where nothing is left to chance errors and their standard error are 0.
    z = errors.mean(0) / (errors.std(0) / len(errors) ** 0.5).clamp(min=1e-6)
    assert chi2.sf(float((z**2).sum()), df=N_ITEMS) > 1e-3


# --- losses


def scores(valid: Tensor | None, *, shared: bool, requires_grad: bool = False) -> Scores:
    """4 positives with 3 negatives each, float64; embeddings [4, 5], no matter what the scores."""
    generator = torch.Generator().manual_seed(7)
    positive, negative, counts, users, items = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((4,), (4, 3), (3,) if shared else (4, 3), (4, 5), (4, 5))
    )
    for given in (positive, negative, users, items):
        given.requires_grad_(requires_grad)
    return Scores(positive, negative, valid, counts, (users, items))


def some_valid() -> Tensor:
    return torch.tensor([[1, 1, 0], [1, 0, 1], [0, 0, 0], [1, 1, 1]], dtype=torch.bool)


def reads(choice: str) -> set[str]:
    """What the loss looks at, and so may change: of positive, negative, embeddings."""
    given = scores(None, shared=False, requires_grad=True)
    assert given.embeddings is not None
    value: Tensor = build(node_of("loss", choice))(given)
    inputs = {"positive": given.positive, "negative": given.negative}
    inputs["embeddings"] = given.embeddings[1]
    found = torch.autograd.grad(value, tuple(inputs.values()), allow_unused=True)
    return {name for name, grad in zip(inputs, found, strict=True) if grad is not None}


EACH_LOSS = pytest.mark.parametrize("choice", choices("loss"))
OF_EMBEDDINGS = [choice for choice in choices("loss") if "embeddings" in reads(choice)]
OF_SCORES = [choice for choice in choices("loss") if choice not in OF_EMBEDDINGS]


def test_most_losses_are_of_scores_and_some_of_embeddings() -> None:
    assert OF_EMBEDDINGS
    assert len(OF_SCORES) > len(OF_EMBEDDINGS)
    assert all(reads(choice) == {"positive", "negative"} for choice in OF_SCORES)


@EACH_LOSS
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_the_gradient_of_a_loss_is_right(choice: str, masked: bool, shared: bool) -> None:
    loss = build(node_of("loss", choice))
    given = scores(some_valid() if masked else None, shared=shared, requires_grad=True)
    assert given.embeddings is not None

    def of(positive: Tensor, negative: Tensor, *embeddings: Tensor) -> Tensor:
        users, items = embeddings
        changed = replace(given, positive=positive, negative=negative, embeddings=(users, items))
        value: Tensor = loss(changed)
        return value

    inputs = (given.positive, given.negative, *given.embeddings)
    assert of(*inputs).shape == ()
    assert torch.autograd.gradcheck(of, inputs)


@EACH_LOSS
@pytest.mark.parametrize("shared", [True, False])
def test_negatives_that_are_not_valid_take_no_part_in_a_loss(choice: str, shared: bool) -> None:
    loss, valid = build(node_of("loss", choice)), some_valid()
    given = scores(valid, shared=shared, requires_grad=True)
    value: Tensor = loss(given)
    (grad,) = torch.autograd.grad(value, given.negative, allow_unused=True, materialize_grads=True)
    assert (grad[~valid] == 0).all()
    for other in (1e4, float("inf")):
        changed = torch.where(valid, given.negative, other)
        assert loss(replace(given, negative=changed)) == value


@pytest.mark.parametrize("choice", choices("loss"))
def test_a_row_of_weight_n_counts_as_n_rows(choice: str) -> None:
    loss = instantiate(node_of("loss", choice), Targets())
    if weight_error(loss):
        assert choice in ("bsl", "direct_au")
        return
    made = scores(None, shared=True)
    n_rows = len(made.positive)
    weights = torch.arange(n_rows)  # the first row counts nothing
    repeated = replace(
        made,
        positive=made.positive.repeat_interleave(weights),
        negative=made.negative.repeat_interleave(weights, 0),
        embeddings=None,
    )
    expected = loss(repeated) * int(weights.sum()) / n_rows  # means over more rows
    assert loss(replace(made, weights=weights.float())).item() == pytest.approx(expected.item())
    assert torch.equal(loss(replace(made, weights=torch.ones(n_rows))), loss(made))


@pytest.mark.parametrize("choice", OF_SCORES)
def test_a_loss_falls_when_positives_rise_or_negatives_fall(choice: str) -> None:
    # Where all is misranked: a loss may ask of a score to be near its target, not beyond it.
    loss, drawn = build(node_of("loss", choice)), scores(None, shared=False)
    given = replace(drawn, positive=-drawn.positive.abs(), negative=1 + drawn.negative.abs())
    assert loss(replace(given, positive=given.positive + 1)) < loss(given)
    assert loss(replace(given, negative=given.negative - 1)) < loss(given)


@pytest.mark.parametrize("choice", OF_EMBEDDINGS)
def test_a_loss_of_embeddings_falls_when_pairs_draw_near_and_all_else_apart(choice: str) -> None:
    loss, drawn = build(node_of("loss", choice)), scores(None, shared=False)
    apart = torch.eye(4, 5, dtype=torch.float64)
    near = apart + torch.tensor([3.0, 0, 0, 0, 0])  # all of them lean to one side

    def of(users: Tensor, items: Tensor) -> float:
        value: float = loss(replace(drawn, embeddings=(users, items))).item()
        return value

    assert of(apart, apart) < of(apart, -apart)
    assert of(near, near) < of(near, -near)
    assert of(apart, apart) < of(near, near)


@EACH_LOSS
def test_a_loss_stays_finite(choice: str) -> None:
    loss = build(node_of("loss", choice))
    for size in (-1e4, 1e4):
        far = Scores(
            positive=torch.full((2,), size),
            negative=torch.full((2, 3), -size),
            valid=None,
            log_expected_count=torch.zeros(2, 3),
            embeddings=(torch.full((2, 4), abs(size) ** 0.5), torch.full((2, 4), size)),
        )
        assert torch.isfinite(loss(far))
    none_valid = torch.zeros(4, 3, dtype=torch.bool)
    assert torch.isfinite(loss(scores(none_valid, shared=False)))


@EACH_LOSS
def test_a_batch_may_have_one_row(choice: str) -> None:
    given = scores(None, shared=True)
    assert given.embeddings is not None
    users, items = given.embeddings
    one = replace(
        given,
        positive=given.positive[:1],
        negative=given.negative[:1],
        embeddings=(users[:1], items[:1]),
    )
    assert torch.isfinite(build(node_of("loss", choice))(one))


# --- towers

# 9 rows of a side, of which train holds 7.
SIDE_FEATURES = pl.DataFrame(
    {
        "title": [f"title {row}" for row in range(9)],
        "kind": ["a", "b", "a", None, "b", "a", "b", "new", "a"],
        "genres": [["x"], ["x", "y"], [], ["y"], None, ["x"], ["y"], ["z"], ["x", "z"]],
        "year": [1990, 1995, None, 1997, 1998, 1999, 2000, 2005, 2007],
    }
)
SIDES: dict[str, Side] = {"user": Side("user", 9, 7, SIDE_FEATURES)}
SIDES["item"] = replace(SIDES["user"], kind="item")


def make_tower(choice: str, kind: str, seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    tower: nn.Module = build(node_of("tower", choice))(side=SIDES[kind], generator=generator)
    return tower


EACH_TOWER = pytest.mark.parametrize(
    ("choice", "kind"), [(choice, kind) for choice in choices("tower") for kind in SIDES]
)


def some_histories(emb_dim: int) -> tuple[Tensor, Tensor]:
    """[4, 3, emb_dim] items and where they are valid: 3, 1, none and 2 of them."""
    generator = torch.Generator().manual_seed(5)
    valid = torch.tensor([[1, 1, 1], [0, 0, 1], [0, 0, 0], [0, 1, 1]], dtype=torch.bool)
    return torch.randn(4, 3, emb_dim, generator=generator), valid


def embeddings(tower: Any, emb_dim: int) -> Tensor:
    """Of every row of a tower, or of some histories."""
    tower.eval()
    if isinstance(tower, HistoryEncoder):
        return tower.encode(*some_histories(emb_dim))
    table: Tensor = tower.table()
    return table


def check_rows(tower: Any, emb_dim: int) -> None:
    """Rows come in any shape and are those of the table."""
    table = embeddings(tower, emb_dim)
    n = len(table)
    assert table.shape == (n, emb_dim)
    assert n in (7, 9)  # all rows of the side where the tower knows more than ids
    torch.testing.assert_close(tower(torch.arange(n)), table)
    rows = torch.tensor([[6, 0, 2], [2, 2, 5]])
    torch.testing.assert_close(tower(rows), table[rows])
    assert tower(rows).shape == (2, 3, emb_dim)


def check_histories(tower: Any, emb_dim: int) -> None:
    """Padding does not change how a history is encoded."""
    encoded = embeddings(tower, emb_dim)
    assert encoded.shape == (4, emb_dim)
    assert torch.isfinite(encoded).all()
    items, valid = some_histories(emb_dim)
    assert torch.equal(encoded, tower.encode(items.where(valid[..., None], torch.nan), valid))
    items.requires_grad_()
    torch.autograd.backward(tower.encode(items, valid).square().sum())
    assert items.grad is not None
    assert torch.isfinite(items.grad).all()
    assert torch.equal(items.grad.abs().sum(-1) > 0, valid)


@EACH_TOWER
def test_a_tower_encodes_what_it_is_given(choice: str, kind: str) -> None:
    tower, emb_dim = make_tower(choice, kind, 0), node_of("tower", choice)["emb_dim"]
    check = check_histories if isinstance(tower, HistoryEncoder) else check_rows
    check(tower, emb_dim)


@EACH_TOWER
def test_a_tower_is_made_by_its_seed_alone(choice: str, kind: str) -> None:
    emb_dim = node_of("tower", choice)["emb_dim"]
    one, same, other = (embeddings(make_tower(choice, kind, s), emb_dim) for s in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@EACH_TOWER
def test_a_tower_loads_what_another_one_has_learned(choice: str, kind: str) -> None:
    emb_dim = node_of("tower", choice)["emb_dim"]
    one, other = make_tower(choice, kind, 0), make_tower(choice, kind, 1)
    other.load_state_dict(one.state_dict())
    assert torch.equal(embeddings(one, emb_dim), embeddings(other, emb_dim))


@EACH_TOWER
def test_every_parameter_of_a_tower_learns(choice: str, kind: str) -> None:
    tower = make_tower(choice, kind, 0)
    torch.autograd.backward(embeddings(tower, node_of("tower", choice)["emb_dim"]).square().sum())
    grads = [parameter.grad for parameter in tower.parameters()]
    assert grads
    assert all(
        grad is not None and torch.isfinite(grad).all() and grad.abs().sum() > 0 for grad in grads
    )


# --- priors

DATED = replace(TRAIN, timestamps=torch.arange(len(TRAIN)) * 3_600 * 1_000_000)
EACH_PRIOR = pytest.mark.parametrize("prior", choices("tower/prior"))


def model_of(tower: str, prior: str | None, train: TrainInteractions) -> TwoTower:
    factory = build(node_of("tower", tower))
    if prior is not None:
        factory = partial(factory, prior=build(node_of("tower/prior", prior)))
    return TwoTower.build(factory, users=SIDES["user"], items=SIDES["item"], seed=0, train=train)


@EACH_PRIOR
@pytest.mark.parametrize("tower", choices("tower"))
def test_a_prior_is_one_term_of_any_towers_dot_product(tower: str, prior: str) -> None:
    train = replace(DATED, n_users=7, items=DATED.items.clamp(max=6), n_items=7)
    model, plain = (model_of(tower, each, train) for each in (prior, None))
    pasts = Histories.of(train.users, train.items, 9, True)
    scorer, without = model.scorer(pasts), plain.scorer(pasts)
    expected = without.users @ without.items.T
    if model.prior is not None:
        assert scorer.items.shape[1] == scorer.users.shape[1] == without.items.shape[1] + 1
        expected = expected + model.prior.table(len(without.items))
        assert (model.prior.table(9)[7:] == 0).all()  # cold items
    torch.testing.assert_close(scorer.users @ scorer.items.T, expected.detach())
    users, length = torch.arange(5), model.history_length
    past = None if length is None else pasts.latest(users, length)
    torch.testing.assert_close(model.eval()(users, users, past), expected[users, users].detach())


@EACH_PRIOR
@pytest.mark.parametrize("loss_choice", choices("loss"))
def test_a_prior_goes_with_every_loss_and_sampler(prior: str, loss_choice: str) -> None:
    """The loss sees total scores: what it asks of them does not depend on the prior."""
    model, loss = model_of("embedding", prior, DATED), build(node_of("loss", loss_choice))
    everything = model.encode_users(torch.arange(5)) @ model.encode_items(torch.arange(7)).T
    for choice, exclude_seen in samplers():
        generator = torch.Generator().manual_seed(3)
        users, positives = batch(12, generator)
        positives = positives.clamp(max=6)
        drawn = make_sampler(choice, exclude_seen).sample(users, positives, generator)
        drawn = replace(drawn, items=drawn.items.clamp(max=6))
        scores = model.score(users, positives, drawn).scores
        torch.testing.assert_close(scores.positive, everything[users, positives])
        if drawn.hardest is None:
            rows = users[:, None].expand(scores.negative.shape)
            torch.testing.assert_close(scores.negative, everything[rows, drawn.items])
        model.zero_grad()
        torch.autograd.backward(loss(scores))
        grads = [each.grad for each in model.parameters()]
        assert all(grad is not None and torch.isfinite(grad).all() for grad in grads)


# --- optimizers


@pytest.mark.parametrize("choice", choices("optimizer"))
def test_an_optimizer_minimises(choice: str) -> None:
    weights = nn.Parameter(torch.tensor([2.0, -1.0]))
    # A step size for these gradients, which are larger than those of a batch's mean.
    optimizer = build({**node_of("optimizer", choice), "lr": 0.01})([weights])
    before = weights.square().sum().item()
    for _ in range(5):
        optimizer.zero_grad()
        torch.autograd.backward(weights.square().sum())
        optimizer.step()
    assert weights.square().sum().item() < before
