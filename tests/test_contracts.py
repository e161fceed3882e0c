"""Each choice of each config group keeps its contract; a new file in conf/ is tested as it is."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache, partial, reduce
from operator import getitem
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
import yaml
from hydra.utils import get_object
from hypothesis import strategies as st

from twotower.config import CONF_DIR, build, check, compose
from twotower.config.instantiate import instantiate
from twotower.config.targets import Targets
from twotower.core.component import parameters
from twotower.core.errors import ConfigError
from twotower.core.values import value_errors
from twotower.loss import weight_error
from twotower.model import TwoTower
from twotower.sweeping.sweep_settings import SweepSettings
from twotower.testing import check_choice
from twotower.testing import losses as loss_checks
from twotower.testing import samplers as sampler_checks
from twotower.testing import towers as tower_checks
from twotower.testing.choices import with_values
from twotower.testing.samplers import TRAIN, batch
from twotower.testing.towers import SIDES
from twotower.types import Histories, Side, TrainInteractions

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
    "recommend": ["out=lists.csv"],
    "similar": ["items=[1]"],
    "export": [],
    "register": ["name=movies"],
    "promote": ["name=movies"],
    "sweep": [],
    "ui": [],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_raises_the_same_text_in_python_and_from_yaml(command: str) -> None:
    assert_python_raises_what_yaml_does(one_run(compose(command, COMMANDS[command])))


# --- components, by the checks that plug-ins use


def samplers() -> list[tuple[str, bool | None]]:
    """Every choice, with seen items excluded and not where it knows that switch."""
    switched = []
    for choice in choices("negative_sampling"):
        node = node_of("negative_sampling", choice)
        known = with_values(node, {"exclude_seen": "changed"}) != node
        switched += [(choice, flag) for flag in ((True, False) if known else (None,))]
    return switched


EACH_SAMPLER = pytest.mark.parametrize(("choice", "exclude_seen"), samplers())
EACH_SAMPLER_CHECK = pytest.mark.parametrize(
    "keeps", sampler_checks.CHECKS, ids=lambda check: check.__name__
)


def sampler(choice: str, exclude_seen: bool | None, num_negatives: int = 6) -> Any:
    """What makes the sampler, given `train` and `device`."""
    own = {"num_negatives": num_negatives, "exclude_seen": exclude_seen}
    return build(with_values(node_of("negative_sampling", choice), own))


@EACH_SAMPLER
@EACH_SAMPLER_CHECK
def test_a_sampler_keeps_its_contract(keeps: Any, choice: str, exclude_seen: bool | None) -> None:
    keeps(sampler(choice, exclude_seen), bool(exclude_seen))


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
    made = sampler(choice, exclude_seen, num_negatives=3)
    sampler_checks.check_train_part(made, bool(exclude_seen), train, seed)


@pytest.mark.parametrize("world_size", [1, 2])
@pytest.mark.parametrize("half_life", [None, 2.0])
@EACH_SAMPLER
def test_an_item_comes_as_often_as_expected(
    choice: str, exclude_seen: bool | None, half_life: float | None, world_size: int
) -> None:
    sampler_checks.check_frequencies(
        sampler(choice, exclude_seen),
        bool(exclude_seen),
        half_life=half_life,
        world_size=world_size,
    )


@pytest.mark.parametrize("choice", choices("loss"))
@pytest.mark.parametrize("keeps", loss_checks.CHECKS, ids=lambda check: check.__name__)
def test_a_loss_keeps_its_contract(keeps: Any, choice: str) -> None:
    keeps(build(node_of("loss", choice)))


def test_most_losses_are_of_scores_and_some_of_embeddings() -> None:
    read = [loss_checks.reads(build(node_of("loss", choice))) for choice in choices("loss")]
    of_embeddings = [each for each in read if "embeddings" in each]
    assert 0 < len(of_embeddings) < len(read) / 2
    assert all(each == {"positive", "negative"} for each in read if each not in of_embeddings)


def test_the_losses_that_refuse_weights_are_these() -> None:
    refusing = [each for each in choices("loss") if weight_error(build(node_of("loss", each)))]
    assert refusing == ["bsl", "direct_au"]


@pytest.mark.parametrize("choice", choices("tower"))
@pytest.mark.parametrize("kind", SIDES)
@pytest.mark.parametrize("keeps", tower_checks.CHECKS, ids=lambda check: check.__name__)
def test_a_tower_keeps_its_contract(keeps: Any, kind: Any, choice: str) -> None:
    keeps(build(node_of("tower", choice)), SIDES[kind])


OTHERS = ("baselines", "evaluation", "optimizer", "split", "tower/encoder", "trainer/scheduler")
STEP_SIZE = {"optimizer": ["optimizer.lr=0.01"]}  # for gradients larger than those of a batch


@pytest.mark.parametrize(
    ("group", "choice"), [each for each in CHOICES if each[0] in OTHERS and each[1] != "given"]
)
def test_a_choice_keeps_the_contract_of_its_group(group: str, choice: str) -> None:
    check_choice(group, choice, overrides=STEP_SIZE.get(group, []))


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
    loss: Any = build(node_of("loss", loss_choice))
    model = TwoTower.build(
        partial(build(node_of("tower", "embedding")), prior=build(node_of("tower/prior", prior))),
        users=Side("user", TRAIN.n_users, TRAIN.n_users, None),
        items=Side("item", TRAIN.n_items, TRAIN.n_items, None),
        seed=0,
        train=DATED,
    )
    everything = model.encode_users(torch.arange(5)) @ model.encode_items(torch.arange(8)).T
    for choice, exclude_seen in samplers():
        generator = torch.Generator().manual_seed(3)
        users, positives = batch(12, generator)
        made = sampler(choice, exclude_seen)(train=TRAIN, device=torch.device("cpu"))
        drawn = made.sample(users, positives, generator)
        scores = model.score(users, positives, drawn).scores
        torch.testing.assert_close(scores.positive, everything[users, positives])
        if drawn.hardest is None:
            rows = users[:, None].expand(scores.negative.shape)
            torch.testing.assert_close(scores.negative, everything[rows, drawn.items])
        model.zero_grad()
        torch.autograd.backward(loss(scores))
        grads = [each.grad for each in model.parameters()]
        assert all(grad is not None and torch.isfinite(grad).all() for grad in grads)
