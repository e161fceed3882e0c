"""Self-contained HTML pages of one look."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

__all__ = ["render_page"]

_STYLE = "page.css"


def render_page(template: Traversable, **values: Any) -> str:
    """Return the page of a template, which finds the style sheet in `style`."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = (files(__package__) / _STYLE).read_text(encoding="utf-8").rstrip()
    page = environment.from_string(template.read_text(encoding="utf-8"))
    return page.render(style=Markup(style), **values)  # our own file
