"""How the pages are built: `sphinx-build -W docs docs/_build`. Nothing is fetched, ever."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from scaffold import __version__

project = "scaffold"
author = "The scaffold authors"
copyright = "The scaffold authors, MIT licence"  # noqa: A001  the name that Sphinx reads
version = release = __version__

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
# Pages that measure are added by whoever measures: the list of them may be empty.
suppress_warnings = ["toc.empty_glob"]

html_theme = "furo"
html_title = f"scaffold {__version__}"
html_show_sphinx = False
html_copy_source = False
pygments_style = "default"
pygments_dark_style = "monokai"
