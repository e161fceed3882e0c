"""Public datasets, each on a few made-up lines in the form of its published files."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from twotower import config as conf
from twotower.core.errors import DataError, DownloadError
from twotower.dataset import Dataset
from twotower.types import Interactions

WriteZip = Callable[[Path, dict[str, bytes]], Path]


def dataset(choice: str, *overrides: str) -> Dataset:
    made: Dataset = conf.build(conf.compose("train", [f"dataset={choice}", *overrides])["dataset"])
    return made


def placed(folder: Path, choice: str, files: dict[str, Any], *overrides: str) -> Interactions:
    """What the dataset makes of files that lie in the cache's folder of downloads."""
    for name, content in files.items():
        path = folder / "downloads" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = content.encode()
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return dataset(choice, f"dataset.cache_dir={folder}", *overrides).load()


def by_hand(folder: Path, choice: str, files: dict[str, str], encoding: str = "utf-8") -> Any:
    for name, content in files.items():
        (folder / name).write_text(content, encoding=encoding)
    return dataset(choice, f"dataset.path={folder}").load()


def test_amazon_2023_has_a_header_and_milliseconds(tmp_path: Path) -> None:
    header = "user_id,parent_asin,rating,timestamp\n"
    text = f"{header}AE2,B00A,5.0,1609459200000\nAE1,B00B,1.0,1609459199000\n"
    files = {"amazon_reviews_2023/Books.csv.gz": text}
    data = placed(tmp_path, "amazon_reviews_2023", files, "dataset.category=Books")
    assert data.log.rows() == [
        ("AE1", "B00B", 1.0, dt.datetime(2020, 12, 31, 23, 59, 59)),
        ("AE2", "B00A", 5.0, dt.datetime(2021, 1, 1)),
    ]
    assert data.origin.startswith(
        f"Amazon Reviews 2023, Books from the cache {tmp_path}/datasets/amazon_reviews_2023_Books, "
    )


def test_amazon_2018_has_items_first_and_seconds(tmp_path: Path) -> None:
    files = {"amazon_reviews_2018/Video_Games.csv": "0439381673,A21ROB4YDOZA5P,1.0,1402272000\n"}
    data = placed(tmp_path, "amazon_reviews_2018", files)
    assert data.log.rows() == [("A21ROB4YDOZA5P", "0439381673", 1.0, dt.datetime(2014, 6, 9))]


def test_gowalla_has_places_with_coordinates(tmp_path: Path) -> None:
    text = (
        "0\t2010-10-19T23:55:27Z\t30.2359091167\t-97.7951395833\t22847\n"
        "0\t2010-10-18T22:17:43Z\t30.2691029532\t-97.7493953705\t420315\n"
        "1\t2010-10-20T01:00:00Z\t30.2359091168\t-97.7951395833\t22847\n"
    )
    data = placed(tmp_path, "gowalla", {"loc-gowalla_totalCheckins.txt.gz": text})
    assert data.log.select("user_id", "item_id").rows() == [(0, 420315), (0, 22847), (1, 22847)]
    assert data.log["timestamp"][0] == dt.datetime(2010, 10, 18, 22, 17, 43)
    assert data.items is not None
    assert data.items.rows() == [
        (22847, 30.2359091167, -97.7951395833),  # of the first line
        (420315, 30.2691029532, -97.7493953705),
    ]


def test_gowalla_of_lightgcn_is_split(tmp_path: Path) -> None:
    files = {
        "gowalla_lightgcn/train.txt": "0 10 11 12\n1 10\n2\n",
        "gowalla_lightgcn/test.txt": "0 13\n1 \n2 10 13",
    }
    data = placed(tmp_path, "gowalla_lightgcn", files, "split=given")
    assert data.log.rows() == [(0, 10), (0, 11), (0, 12), (1, 10)]
    assert data.test is not None
    assert data.test.rows() == [(0, 13), (2, 10), (2, 13)]
    again = dataset("gowalla_lightgcn", f"dataset.cache_dir={tmp_path}", "split=given").load()
    assert again.test is not None  # from the cache
    assert again.test.equals(data.test)


def test_steam_reads_the_dicts_of_python(tmp_path: Path) -> None:
    text = (
        "{u'username': u'Chaos Syren', u'hours': 0.1, u'product_id': u'725280', u'page_order': 0, "
        "u'date': u'2017-12-17', u'text': u'It is \\'fine\\': u\\'date\\'', u'funny': 1}\n"
        "{u'date': u'2017-12-16', u'username': u\"Hal's\", u'product_id': u'328100'}\n"
    )
    data = placed(tmp_path, "steam", {"steam_reviews.json.gz": text})
    assert data.log.rows() == [
        ("Hal's", 328100, dt.datetime(2017, 12, 16)),
        ("Chaos Syren", 725280, dt.datetime(2017, 12, 17)),
    ]


def test_book_crossing_reads_a_dump_with_malformed_lines(
    tmp_path: Path, write_zip: WriteZip
) -> None:
    books = (
        '"ISBN";"Book-Title";"Book-Author";"Year-Of-Publication";"Publisher";"Image-URL-S";"M";"L"\r\n'
        '"0195153448";"Classical Mythology";"Mark P. O. Morford";"2002";"Oxford &amp; Co";'
        '"http://x/1";"http://x/2";"http://x/3"\r\n'
        '"078946697X";"X-Men (Level 4)\\";Michael Teitelbaum";"2000";"DK";"http://x/1";"a";"b"\r\n'
        '"0002005018";"Clara";"R. B. Wright";"0";"Cafés";"http://x/1";"http://x/2";"http://x/3"\r\n'
    )
    members = {
        "BX-Book-Ratings.csv": b'"User-ID";"ISBN";"Book-Rating"\r\n"276725";"034545104X";"0"\r\n'
        b'"276726";"0155061224";"5"\r\n',
        "BX-Users.csv": b'"User-ID";"Location";"Age"\r\n"1";"nyc, new york, usa";NULL\r\n'
        b'"2";"stockton";"18"\r\n"3";"torn\r\n',
        "BX-Books.csv": books.encode("latin-1"),
    }
    write_zip(tmp_path / "downloads" / "BX-CSV-Dump.zip", members)
    data = dataset("book_crossing", f"dataset.cache_dir={tmp_path}", "split=random").load()
    assert data.log.rows() == [(276725, "034545104X", 0.0), (276726, "0155061224", 5.0)]
    assert data.users is not None
    assert data.users.rows() == [(1, None, "nyc, new york, usa"), (2, 18, "stockton")]
    assert data.items is not None
    assert data.items.rows() == [
        ("0002005018", "Clara", "R. B. Wright", None, "Cafés"),
        ("0195153448", "Classical Mythology", "Mark P. O. Morford", 2002, "Oxford & Co"),
    ]


NETFLIX = {
    "combined_data_1.txt": "1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n2:\n"
    "2059652,4,2005-09-05\n",
    "combined_data_2.txt": "4500:\n2532865,4,2005-07-26\n",
    "combined_data_3.txt": "9211:\n1277134,1,2003-12-02\n",
    "combined_data_4.txt": "13368:\n2385003,4,2004-07-08\n",
    "movie_titles.csv": "1,2003,Dinosaur Planet\n2,NULL,Café, the Film\n",
}


def test_netflix_has_blocks_of_films(tmp_path: Path) -> None:
    data = by_hand(tmp_path, "netflix", NETFLIX, "latin-1")
    assert len(data.log) == 6
    assert data.log.rows()[3:5] == [
        (2532865, 4500, 4.0, dt.datetime(2005, 7, 26)),
        (2059652, 2, 4.0, dt.datetime(2005, 9, 5)),
    ]
    assert data.items.rows() == [(1, 2003, "Dinosaur Planet"), (2, None, "Café, the Film")]


def test_h_and_m_has_features_of_both(tmp_path: Path) -> None:
    named = "product_type_name,product_group_name,graphical_appearance_name,colour_group_name,"
    named += "department_name,index_name,section_name,garment_group_name"
    files = {
        "transactions_train.csv": "t_dat,customer_id,article_id,price,sales_channel_id\n"
        "2018-09-20,000058a1,0663713001,0.05,2\n",
        "customers.csv": "customer_id,FN,Active,club_member_status,fashion_news_frequency,age,"
        "postal_code\n000058a1,,,ACTIVE,NONE,49.0,52043e\n",
        "articles.csv": f"article_id,product_code,prod_name,{named},detail_desc\n"
        '0663713001,0663713,Strap top,a,b,c,d,e,f,g,h,"Jersey, with straps."\n',
    }
    data = by_hand(tmp_path, "h_and_m", files)
    assert data.log.rows() == [("000058a1", "0663713001", dt.datetime(2018, 9, 20))]
    assert data.users.rows() == [("000058a1", 49, "ACTIVE", "NONE")]
    assert data.items["title"].to_list() == ["Strap top"]
    assert data.items.width == 11


MIND = {
    "behaviors.tsv": "1\tU13740\t11/11/2019 9:05:58 AM\tN55189 N42782\tN55689-1 N35729-0\n"
    "2\tU91836\t11/12/2019 6:11:30 PM\t\tN20678-0 N39317-1 N58114-1\n",
    "news.tsv": 'N55528\tlifestyle\troyals\tThe "Brands" Swear By\tShop the notebooks\thttp://x\t[]\t[]\n'
    "N55689\tnews\tworld\tTitle\t\thttp://x\t[]\t[]\n",
}


def test_mind_has_the_clicks_of_impressions(tmp_path: Path) -> None:
    data = by_hand(tmp_path, "mind", MIND)
    assert data.log.rows() == [
        ("U13740", "N55689", dt.datetime(2019, 11, 11, 9, 5, 58)),
        ("U91836", "N39317", dt.datetime(2019, 11, 12, 18, 11, 30)),
        ("U91836", "N58114", dt.datetime(2019, 11, 12, 18, 11, 30)),
    ]
    assert data.items.rows()[0] == (
        *("N55528", "lifestyle", "royals", 'The "Brands" Swear By', "Shop the notebooks"),
    )


@pytest.mark.parametrize(
    ("choice", "names", "where"),
    [
        (
            "netflix",
            "combined_data_1.txt, combined_data_2.txt, ",
            "https://www.kaggle.com/datasets",
        ),
        (
            "h_and_m",
            "transactions_train.csv, customers.csv, articles.csv",
            "https://www.kaggle.com/c",
        ),
        ("mind", "behaviors.tsv, news.tsv", "https://msnews.github.io after accepting its licence"),
    ],
)
def test_files_to_download_by_hand_are_named_with_their_source(
    tmp_path: Path, choice: str, names: str, where: str
) -> None:
    with pytest.raises(DataError) as error:
        dataset(choice, f"dataset.path={tmp_path}").load()
    assert f"{tmp_path} (dataset.path) has no {names}" in str(error.value)
    assert where in str(error.value)
    assert str(error.value).endswith("set dataset.path to the folder of these files")


@pytest.mark.parametrize(
    ("choice", "file", "text", "message"),
    [
        (
            "netflix",
            "combined_data_2.txt",
            "4500:\n1,6,2005-07-26\n",
            "line 2: '1,6,2005-07-26'; exp",
        ),
        (
            "netflix",
            "combined_data_2.txt",
            "1,5,2005-07-26\n",
            "line 1: '1,5,2005-07-26'; expected",
        ),
        (
            "mind",
            "behaviors.tsv",
            "1\tU1\t11/11/2019 9:05:58 AM\tN1\tN2 N3\n",
            "impression 'N2' is no",
        ),
        ("mind", "behaviors.tsv", "1\tU1\n", "expected five columns (impression, user, time, hist"),
    ],
)
def test_another_form_is_refused(
    tmp_path: Path, choice: str, file: str, text: str, message: str
) -> None:
    files = {"netflix": NETFLIX, "mind": MIND}[choice] | {file: text}
    with pytest.raises(DataError) as error:
        by_hand(tmp_path, choice, files, "latin-1")
    assert f"{tmp_path}/{file}: " in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("gowalla", "loc-gowalla_totalCheckins.txt.gz"),
        ("gowalla_lightgcn", "gowalla_lightgcn/train.txt"),
        ("steam", "steam_reviews.json.gz"),
        ("book_crossing", "BX-CSV-Dump.zip"),
        ("amazon_reviews_2018", "amazon_reviews_2018/Video_Games.csv"),
    ],
)
def test_a_file_of_another_content_is_refused(tmp_path: Path, choice: str, name: str) -> None:
    path = tmp_path / "downloads" / name
    path.parent.mkdir(parents=True)
    path.write_text("<html>moved</html>\n")
    path.with_name("test.txt").write_text("0 1\n")
    with pytest.raises(DownloadError, match=f"{path.name} does not hold "):
        dataset(choice, f"dataset.cache_dir={tmp_path}", "split=random").load()


def test_files_that_cannot_be_fetched_are_named_with_their_places(tmp_path: Path) -> None:
    nowhere = [f"dataset.{part}_url=http://127.0.0.1:1/{part}.txt" for part in ("train", "test")]
    with pytest.raises(DownloadError) as error:
        dataset("gowalla_lightgcn", f"dataset.cache_dir={tmp_path}", *nowhere).load()
    folder = f"{tmp_path}/downloads/gowalla_lightgcn"
    assert (
        f"Put train.txt (from http://127.0.0.1:1/train.txt) at {folder}/train.txt and test.txt "
        f"(from http://127.0.0.1:1/test.txt) at {folder}/test.txt and run again"
    ) in str(error.value)
