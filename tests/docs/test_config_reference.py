"""The generated reference has every key of conf/, with its default and its comment."""

from __future__ import annotations

from pathlib import Path

import api_reference
import config_reference
import pytest
import repository
import yaml
from annotated_yaml import Key, header, keys

CONF = Path(__file__).parents[2] / "conf"

TEXT = """\
# @package _global_
# What the choice
# is for.
_target_: some.Class

# Above the key.
number: 3  # behind it, and
           # on the next line
columns:
  user: user_id
filters:
  - _target_: some.Filter
    value: 4
text: "|"  # a bar
"""


def test_keys_have_their_defaults_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "choice.yaml"
    path.write_text(TEXT)
    assert header(path) == "What the choice is for."
    assert keys(path) == [
        Key("number", "3", "Above the key. behind it, and on the next line"),
        Key("columns", "", ""),
        Key("columns.user", "user_id", ""),
        Key("filters", "[{_target_: some.Filter, value: 4}]", ""),
        Key("text", "'|'", "a bar"),
    ]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("config")
    return {path.stem: path.read_text() for path in config_reference.write_pages(folder)}


def test_every_choice_is_on_the_page_of_its_group(pages: dict[str, str]) -> None:
    for path in CONF.glob("*/**/*.yaml"):
        group, *_, name = path.relative_to(CONF).with_suffix("").parts
        if group != "hydra":
            assert f"{name}]\n" in pages[group] or f"{name}\n" in pages[group]


def test_a_key_is_a_row_with_its_default(pages: dict[str, str]) -> None:
    default = yaml.safe_load((CONF / "tower" / "embedding.yaml").read_text())["emb_dim"]
    assert f"| `tower.emb_dim` | `{default}` | length of the embeddings" in pages["tower"]
    assert "| `tower.encoder.n_heads` | " in pages["tower"]
    assert "| `baselines.ease.l2` | `150.0` | " in pages["baselines"]
    assert "| `seed` | `0` | " in pages["commands"]


def test_pages_that_are_up_to_date_are_not_written_again(tmp_path: Path) -> None:
    (stale := tmp_path / "gone.md").touch()
    paths = config_reference.write_pages(tmp_path)
    assert not stale.exists()
    written = [path.stat().st_mtime_ns for path in paths]
    assert [path.stat().st_mtime_ns for path in config_reference.write_pages(tmp_path)] == written


def test_the_api_pages_have_the_contract_and_each_choice() -> None:
    modules = api_reference.modules("negative_sampling")
    assert modules[0] == "twotower.negative_sampling.base"
    assert {
        f"twotower.negative_sampling.{path.stem}"
        for path in (CONF / "negative_sampling").glob("*.yaml")
    } < {*modules}


def test_links_to_the_repository_lead_to_pages_of_the_site() -> None:
    text = "[a](../conf/loss/) [b](../conf/) [c](../CONTRIBUTING.md#rules) [d](losses.md)"
    assert repository.site_links(text) == (
        "[a](reference/config/loss.md) [b](reference/config/index.md) [c](contributing.md#rules) "
        "[d](losses.md)"
    )


def test_a_copied_page_names_files_from_its_new_place(tmp_path: Path) -> None:
    repository.copy_pages(tmp_path)
    text = (tmp_path / "contributing.md").read_text()
    assert "](architecture.md)" in text
    assert "](docs/" not in text
