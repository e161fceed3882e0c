"""Archives of MovieLens' formats with a few lines each, and a server on loopback to get them from.

Ids, ratings and people are made up; the oddities of titles are those of the real files.
"""

from __future__ import annotations

import http.server
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

DATA_100K = "7\t2\t5\t881250949\n7\t1\t3\t881250950\n9\t1\t4\t881250948\n9\t267\t1\t881250951\n"
USERS_100K = "7|24|M|technician|02138\n9|53|F|other|T8H1N\n"
# flags: unknown Action Adventure Animation Children's Comedy ... (19 of them)
ITEMS_100K = (
    "1|Toy Story (1995)|01-Jan-1995||http://x/1|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    "2|Misérables, Les (1995) |01-Jan-1995||http://x/2|0|0|0|0|0|0|0|0|1|0|0|0|1|0|0|0|0|0|0\n"
    "3|Land (1995) (V)|01-Jan-1995||http://x/3|0|0|0|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    "267|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
)
ATOMIC_INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + DATA_100K
ATOMIC_USER = (
    "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
    + USERS_100K.replace("|", "\t")
)
ATOMIC_ITEM = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    "1\tToy Story\t1995\tAnimation Children's Comedy\n"
    "2\tMisérables, Les\t1995\tDrama Musical\n"
    "3\tLand (1995)\tV\tAnimation\n"
    "267\tunkonwn\tunkonwn\tunknown\n"
)


WriteZip = Callable[[Path, dict[str, bytes]], Path]


@pytest.fixture
def write_zip() -> WriteZip:
    def write(path: Path, members: dict[str, bytes]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return write


@pytest.fixture
def write_ml_100k(write_zip: WriteZip) -> Callable[[Path], Path]:
    """GroupLens' archive."""
    members = {
        "ml-100k/u.data": DATA_100K.encode(),
        "ml-100k/u.user": USERS_100K.encode(),
        "ml-100k/u.item": ITEMS_100K.encode("latin-1"),
    }
    return lambda path: write_zip(path, members)


@pytest.fixture
def write_recbole_wheel(write_zip: WriteZip) -> Callable[[Path], Path]:
    """A wheel that pip accepts, with the atomic files where RecBole keeps them."""
    info = "recbole-1.2.1.dist-info"
    data = "recbole/dataset_example/ml-100k/ml-100k"
    members = {
        f"{data}.inter": ATOMIC_INTER.encode(),
        f"{data}.user": ATOMIC_USER.encode(),
        f"{data}.item": ATOMIC_ITEM.encode(),
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: recbole\nVersion: 1.2.1\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    return lambda folder: write_zip(folder / "recbole-1.2.1-py3-none-any.whl", members)


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Address of a file in `tmp_path / "www"`, served on loopback while the test runs."""
    root = tmp_path / "www"
    root.mkdir()
    handler = partial(_QuietHandler, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield lambda name: f"http://127.0.0.1:{server.server_port}/{name}"
        server.shutdown()
        thread.join()


@pytest.fixture
def only_wheels_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Make pip look for wheels in one folder and nowhere else."""

    def point(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    return point
