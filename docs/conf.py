"""Sphinx builds the site from here: `make docs`. It loads nothing from a network, nor do its pages."""

import sys
from pathlib import Path

from breakeven import __version__

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

project = "breakeven"
author = copyright = "the breakeven authors"
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton", "_ext.mathml", "_ext.site"]
exclude_patterns = ["_build", "_ext"]
smartquotes = False  # --help has two hyphens
nitpicky = True
nitpick_ignore_regex = [("py:class", ".*")]  # the types in signatures, most of which are other packages'
default_role = "code"  # single backticks in docstrings

html_theme = "furo"
html_title = "breakeven"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_copyright = False
templates_path: list[str] = []

suppress_warnings = ["myst.header"]  # of files that are shown from elsewhere, whose headings skip a level
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

# the notebook runs at each build; a cell that fails is an error
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
