"""RecBole's atomic files: typed headers, sequences, and what is said of wrong ones."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from twotower.core.errors import DataError
from twotower.dataset.recbole import RecBoleFiles

INTER = (
    "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    "u1\t10\t4\t900000002\nu2\t9\t3.5\t900000001\n"
)
ITEM = (
    "item_id:token\tname:token_seq\ttags:token_seq\tprice:float\tvector:float_seq\n"
    '10\tUp "and" away\ta b\t1.5\t0.5 -1\n'
    "9\tJaws\t\t\t2 0\n"
)


def files(folder: Path, name: str | None = None, title: str | None = "name") -> RecBoleFiles:
    return RecBoleFiles(
        str(folder),
        name,
        {
            "user": "user_id",
            "item": "item_id",
            "timestamp": "timestamp",
            "rating": "rating",
            "weight": None,
        },
        title,
        "auto",
        "time",
    )


def write(folder: Path, **parts: str) -> None:
    for suffix, text in parts.items():
        (folder / f"shop.{suffix}").write_text(text, encoding="utf-8")


def test_reads_the_three_files(tmp_path: Path) -> None:
    write(tmp_path, inter=INTER, item=ITEM, user="user_id:token\tage:token\nu2\t30\nu1\t40\n")
    data = files(tmp_path).load()
    assert data.log.rows() == [
        ("u2", 9, 3.5, dt.datetime(1998, 7, 9, 16, 0, 1)),
        ("u1", 10, 4.0, dt.datetime(1998, 7, 9, 16, 0, 2)),
    ]
    assert data.users is not None
    assert data.users.rows() == [("u1", 40), ("u2", 30)]
    assert data.items is not None
    assert data.items.columns == ["item_id", "name", "tags", "price", "vector", "title"]
    assert data.items.rows() == [
        (9, "Jaws", None, None, [2.0, 0.0], "Jaws"),
        (10, 'Up "and" away', ["a", "b"], 1.5, [0.5, -1.0], 'Up "and" away'),
    ]
    assert data.origin == f"the RecBole files {tmp_path}/shop.*"


def test_features_are_optional(tmp_path: Path) -> None:
    write(tmp_path, inter=INTER)
    data = files(tmp_path).load()
    assert (data.users, data.items, data.test) == (None, None, None)


def test_a_name_picks_one_of_several(tmp_path: Path) -> None:
    write(tmp_path, inter=INTER)
    (tmp_path / "other.inter").write_text(INTER)
    assert files(tmp_path, "shop").load().origin == f"the RecBole files {tmp_path}/shop.*"
    with pytest.raises(DataError) as error:
        files(tmp_path).load()
    assert str(error.value) == (
        f"{tmp_path} (dataset.path) must hold exactly one .inter file, see dataset.name; "
        "it has other, shop"
    )
    with pytest.raises(DataError, match=r"must hold a file sho\.inter, see dataset\.name; it has"):
        files(tmp_path, "sho").load()


def test_a_folder_without_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"one \.inter file, .*; it has none, or is no folder"):
        files(tmp_path / "nowhere").load()


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ({"inter": ""}, "shop.inter (dataset.path) is empty: it holds not even a header"),
        ({"inter": INTER.split("\n")[0] + "\n"}, "shop.inter (dataset.path) is empty: it holds no"),
        ({"inter": INTER.replace("rating:", "stars:")}, "shop.inter has no column 'rating' (datas"),
        ({"inter": INTER.replace("rating:float", "rating")}, "shop.inter: the header 'rating' is "),
        ({"inter": INTER.replace("3.5", "good")}, "shop.inter: column 'rating:float' has no numbe"),
        ({"inter": INTER.replace("u2", "")}, "shop.inter: column 'user_id' has no id (null, NaN o"),
        (
            {"inter": INTER, "item": ITEM.replace("0.5 -1", "0.5 x")},
            "shop.item: column 'vector:float_seq' has no number in 1 of 2 rows, first in row 1 ",
        ),
        ({"inter": INTER, "item": ITEM.replace("name", "n")}, "shop.item has no column 'name' (da"),
    ],
)
def test_messages_about_bad_files(tmp_path: Path, parts: dict[str, str], complaint: str) -> None:
    write(tmp_path, **parts)
    with pytest.raises(DataError) as error:
        files(tmp_path).load()
    assert str(error.value).startswith(f"{tmp_path}/{complaint}")
