"""How the pages are built: `sphinx-build -W docs docs/_build`. Nothing is fetched, ever."""

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from scaffold import __version__  # noqa: E402

project = "scaffold"
author = "The scaffold authors"
copyright = "The scaffold authors, MIT licence"  # noqa: A001  the name that Sphinx reads
version = release = __version__

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"scaffold {__version__}"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
pygments_style = "default"
pygments_dark_style = "monokai"


def setup(app: Any) -> None:
    app.connect("source-read", without_empty_patterns)


def without_empty_patterns(_: Any, page: str, source: list[str]) -> None:
    """Pages that measure come from whoever measures: a pattern that has none yet is no mistake."""
    if page == "index":
        patterns = re.compile(r"^([a-z-]+\*)\n", re.MULTILINE)
        source[0] = patterns.sub(
            lambda found: found[0] if any(HERE.glob(f"{found[1]}.md")) else "", source[0]
        )
