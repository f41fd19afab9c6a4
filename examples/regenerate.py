"""Makes every folder in examples/ anew, from fixed answers and the templates as they are now.

    python examples/regenerate.py

What is there is wiped first, so that a file that a template no longer makes goes as well.
Nothing in these folders is edited by hand.
"""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from scaffold.answers import answers, declarations  # noqa: E402
from scaffold.catalog import catalog  # noqa: E402
from scaffold.making import render  # noqa: E402

FIXED = {
    "name": "stock-keeper",
    "description": "Keeps count of what is in stock",
    "author": "The stock team",
    "database": "postgresql",
    "ci": "github",
}
RESOURCES = [
    "product sku:str:1..40:unique name:str:1..100 price:decimal:10.2:optional "
    "active:bool:default=true:filter",
    "movement product:ref:filter quantity:int:-100000..100000 "
    "reason:enum=bought,sold,counted:default=counted:filter moved_at:datetime:sort "
    "note:text:0..1000:optional",
]


def regenerate(folder: Path) -> list[str]:
    """Makes one example for each framework that has a template in `folder`; returns their ids."""
    for old in (path for path in folder.iterdir() if path.is_dir()):
        shutil.rmtree(old)
    known = catalog.load(HERE.parent)
    made = list(known.question("framework").choices)
    fixed = FIXED | {"resources": declarations.typed(RESOURCES)}
    for framework_id in made:
        complete = answers.complete(known, fixed | {"framework": framework_id})
        render.make(known.root, complete, folder / framework_id)
    return made


if __name__ == "__main__":
    print("\n".join(f"examples/{framework_id}" for framework_id in regenerate(HERE)))
