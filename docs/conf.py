"""The documentation site: `make docs` builds it into build/docs, with warnings as errors."""

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "twotower"
author = "the twotower authors"
project_copyright = author
release = metadata.version("twotower")

extensions = [
    "api_reference",
    "config_reference",
    "docstrings",
    "mathml",
    "myst_nb",
    "repository",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "_ext", "images"]

default_role = "code"  # of docstrings, whose code is in single backticks
nitpicky = True
nitpick_ignore_regex = [("py:class", ".*")]  # types in signatures; pages refer by `py:obj`
suppress_warnings = ["ref.python"]  # `[n_items]` in a docstring is a shape and no reference

# Pages are plain Markdown, so that GitHub renders them too.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the test suite runs the notebooks; the site shows their stored output

autodoc_default_options = {"members": True, "special-members": "__call__"}
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # shapes and units are in the text; the signature has the types
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
add_module_names = False

html_theme = "furo"
html_title = f"twotower {release}"
html_static_path = ["_static"]
html_css_files = ["twotower.css"]
html_math_renderer = "mathml"
html_show_sphinx = False
html_copy_source = False
html_show_copyright = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
copybutton_exclude = ".linenos, .gp, .go"
