"""Puts the releases of the templates into the wheel and the sdist, as one git bundle.

From a checkout it is made of the history; from an sdist, which has it, it is taken over. An
editable install needs none: it reads the checkout itself. Benchmark results come along if they are
there, which a fork may do without.
"""

import atexit
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "releases.bundle"
MEASURED = "measured.json"
PLACES = {"sdist": NAME, "wheel": f"scaffold/source/{NAME}"}
FIGURES = {"sdist": MEASURED, "wheel": f"scaffold/source/{MEASURED}"}


class Releases(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the bundle; fails where the history that it is made of is not here."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        carried = root / NAME
        # An sdist says what it is; a clone that has such a file by accident is still a clone.
        bundle = (
            carried if (root / "PKG-INFO").is_file() and carried.is_file() else self._made(root)
        )
        build_data["force_include"][str(bundle)] = PLACES[self.target_name]
        if (root / MEASURED).is_file():
            build_data["force_include"][str(root / MEASURED)] = FIGURES[self.target_name]

    def _made(self, root: Path) -> Path:
        sys.path.insert(0, str(root))
        try:
            from scaffold.catalog import history
        finally:
            sys.path.remove(str(root))
        folder = tempfile.mkdtemp(prefix="scaffold-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        bundle = Path(folder) / NAME
        try:
            history.bundle(root, bundle)
        except history.HistoryIncomplete as incomplete:
            self.app.abort(str(incomplete))
        return bundle
