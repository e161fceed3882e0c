"""Pages of the site from files outside docs/, and links to them that work on GitHub as well.

A page links to a file of the repository, such as `../CONTRIBUTING.md`, `../conf/loss/` or
`../examples/own_data.ipynb`; in the site the link leads to the page that is made of it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_OUTSIDE = re.compile(r"\]\(\.\./(?P<path>[\w./-]*)")
_AT_ROOT = re.compile(r"\]\((?!https?:|#)(?P<path>[\w./-]+)")


def site_links(text: str) -> str:
    """Return the text of a page in docs/ with its links to the repository as links of the site."""
    return _OUTSIDE.sub(lambda found: f"]({_page(found['path'])}", text)


def _page(path: str) -> str:
    if path.startswith("conf/"):
        group = path.removeprefix("conf/").strip("/").replace("/", "_")
        return f"reference/config/{group or 'index'}.md"
    if path.startswith("tests/"):
        return f"../{path}"  # the file itself, as a download
    return PAGES.get(path, path)


def copy_pages(folder: Path) -> None:
    """Write the pages that are made of files outside docs/ to `folder`."""
    for source, name in PAGES.items():
        text = (ROOT / source).read_text()
        _write(folder / name, _AT_ROOT.sub(lambda found: f"]({_from_docs(found['path'])}", text))
    for notebook in (ROOT / "examples").glob("*.ipynb"):
        _write(folder / "examples" / notebook.name, notebook.read_text())


def _from_docs(path: str) -> str:
    """Return a path of the repository as a page in docs/ names it."""
    return path.removeprefix("docs/") if path.startswith("docs/") else f"../{path}"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text() != text:  # else Sphinx would read it again
        path.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Copy the pages when a build begins; change links as pages are read."""
    app.connect("builder-inited", lambda app: copy_pages(Path(app.srcdir)))
    app.connect("source-read", _change_links)
    return {"parallel_read_safe": True}


def _change_links(app: Sphinx, name: str, source: list[str]) -> None:
    if "/" not in name:
        source[0] = site_links(source[0])
