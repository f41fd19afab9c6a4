"""What may stand in a template: sharing by inheritance, few conditions, no bare free text."""

from __future__ import annotations

import itertools
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, nodes

from tests.services import TEMPLATES, frameworks

SHARED = TEMPLATES / "shared"
FREE_TEXT = {"description", "author"}
SAFE_FILTERS = {"to_json", "markdown", "regex_replace"}
MOST_VALUES = 9
SAME_LINES = 8
IMPORT_OF_THE_PACKAGE = re.compile(r"^from \{\{ package_name }}[.\w]* import", re.MULTILINE)
CONDITION = re.compile(r"\{% (end)?if.*?%\}")
STUB = re.compile(r'\{% (include|extends) "templates/shared/[^"]+" %\}\s*')
WHAT_IS_IMPORTED = re.compile(r"^(from [\w.]+ )?import (\([^)]*\)|.*)$", re.MULTILINE)


@cache
def listed(framework: str) -> dict[str, Path]:
    """The shared files of its services, whatever is answered: path in the service, and source."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES.parent),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["to_json"] = json.dumps
    template = environment.get_template(f"templates/{framework}/shared.jinja")
    besides = list(copier_question("with")["choices"].values())
    found = {}
    for database, ci in itertools.product(
        copier_question("database")["choices"].values(), copier_question("ci")["choices"].values()
    ):
        answers = {"database": database, "ci": ci, "with": besides, "package_name": "PACKAGE"}
        for one in yaml.safe_load(template.render(answers)):
            sources = [TEMPLATES.parent / name for name in one["source"]]
            there = [source for source in sources if source.is_file()]
            assert len(there) == 1, one
            found[one["path"]] = there[0]
    return found


@cache
def copier_question(name: str) -> dict[str, Any]:
    questions = yaml.safe_load((TEMPLATES.parent / "copier.yml").read_text())
    return dict(questions[name])


def template_files() -> list[Path]:
    """Everything that Jinja reads: what ends in .jinja, and what is included from shared/."""
    rendered = set(TEMPLATES.rglob("*.jinja"))
    included = {TEMPLATES.parent / name for file in rendered for name in included_by(file)}
    shared = {source for name in frameworks() for source in listed(name).values()}
    return sorted(rendered | included | shared)


@cache
def tree(path: Path) -> nodes.Template:
    return Environment(trim_blocks=True, lstrip_blocks=True).parse(path.read_text())


def included_by(path: Path) -> list[str]:
    return names_in(path, nodes.Include, nodes.Extends)


def names_in(path: Path, *kinds: type[nodes.Node]) -> list[str]:
    """The templates that statements of these kinds name."""
    named = (getattr(node, "template", None) for node in tree(path).find_all(kinds))
    return [name.value for name in named if isinstance(name, nodes.Const)]


def values(path: Path) -> int:
    """How many conditions and filled-in values a file has; imports of the package are as many as
    they are, and so are the names of a resource.
    """
    conditions = len([*tree(path).find_all((nodes.If, nodes.CondExpr))])
    outputs = (part for node in tree(path).find_all(nodes.Output) for part in node.nodes)
    filled_in = sum(not isinstance(part, nodes.TemplateData) for part in outputs if not named(part))
    return conditions + filled_in - len(IMPORT_OF_THE_PACKAGE.findall(path.read_text()))


def named(part: nodes.Node) -> bool:
    """Whether this is a name of a resource."""
    if isinstance(part, nodes.Getattr):
        return part.attr == "plural"
    return isinstance(part, nodes.Name) and part.name in names_of_a_resource()


@cache
def names_of_a_resource() -> set[str]:
    assigned = tree(SHARED / "names.jinja").find_all(nodes.Assign)
    return {node.target.name for node in assigned if isinstance(node.target, nodes.Name)}


def of_fields(path: Path) -> bool:
    """Whether a template is about fields, and so made of loops, values and conditions."""
    return path.parent in (SHARED, TEMPLATES / "django") or bool(
        re.search(r"(fields|examples)\.jinja|resource\.fields", path.read_text())
    )


def name_of(path: Path) -> str:
    return str(path.relative_to(TEMPLATES))


def test_no_template_asks_which_framework_it_is_for() -> None:
    for path in template_files():
        assert "framework" not in {node.name for node in tree(path).find_all(nodes.Name)}, path
        assert "framework" not in path.name


def test_a_template_has_few_conditions_and_values() -> None:
    counted = {name_of(path): values(path) for path in template_files() if not of_fields(path)}
    assert {name: count for name, count in counted.items() if count > MOST_VALUES} == {}


def test_most_templates_have_no_condition_and_no_value() -> None:
    counts = [values(path) for path in template_files() if not of_fields(path)]
    assert sum(counts) / len(counts) <= 1


@pytest.mark.parametrize("framework", frameworks())
def test_how_a_resource_is_served_depends_on_no_field(framework: str) -> None:
    served = [
        path
        for name in ("routes.py.jinja", "views.py.jinja", "service.py.jinja", "urls.py.jinja")
        for path in (TEMPLATES / framework / "project").rglob(name)
        if "{% yield" in path.parent.name
    ]
    assert served
    for path in served:
        assert "field" not in {node.name for node in tree(path).find_all(nodes.Name)}, path


def uses(node: nodes.Node, parents: tuple[nodes.Node, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Each free-text answer that is put out, with the filters and macros that it goes through."""
    if isinstance(node, nodes.Name) and node.name in FREE_TEXT:
        filters = {parent.name for parent in parents if isinstance(parent, nodes.Filter)}
        called = [parent.node for parent in parents if isinstance(parent, nodes.Call)]
        macros = {getattr(call, "name", getattr(call, "attr", "")) for call in called}
        yield node.name, filters | macros
    for child in node.iter_child_nodes():
        if not (isinstance(node, nodes.If | nodes.CondExpr) and child is node.test):
            yield from uses(child, (*parents, node))


def test_free_text_is_escaped_wherever_it_lands() -> None:
    for path in template_files():
        for answer, through in uses(tree(path)):
            assert through & SAFE_FILTERS, f"{answer} stands bare in {path}"


def test_inheritance_is_one_level_deep() -> None:
    for path in template_files():
        if SHARED in path.parents:
            assert not [*tree(path).find_all(nodes.Extends)], path


def test_a_dotfile_of_a_template_does_not_act_on_this_repository() -> None:
    dotfiles = [path for path in TEMPLATES.rglob(".*") if path.is_file()]
    assert dotfiles
    assert [path for path in dotfiles if path.suffix != ".jinja"] == []


def own(framework: str) -> set[str]:
    """The files that it has in `project/`, whatever is answered, but for those of a loop."""
    project = TEMPLATES / framework / "project"
    names = (str(path.relative_to(project)) for path in project.rglob("*") if path.is_file())
    plain = (CONDITION.sub("", name).replace("{{ package_name }}", "PACKAGE") for name in names)
    return {name.removesuffix(".jinja") for name in plain if "{%" not in name}


@pytest.mark.parametrize("framework", frameworks())
def test_no_file_has_two_sources(framework: str) -> None:
    assert own(framework) & set(listed(framework)) == set()


@pytest.mark.parametrize("framework", frameworks())
def test_what_is_left_out_of_a_list_is_in_it(framework: str) -> None:
    """A misspelt line after "-" would leave out nothing."""
    lines = (TEMPLATES / framework / "shared.jinja").read_text().splitlines()
    left_out = {line.removeprefix("- ") for line in lines if line.startswith("- ")}
    assert left_out <= set((SHARED / "files.jinja").read_text().splitlines())


def test_no_template_is_a_stub() -> None:
    """What only includes a shared file is a line of shared.jinja, unless a loop makes it."""
    stubs = [
        path
        for framework in frameworks()
        for path in (TEMPLATES / framework / "project").rglob("*.jinja")
        if STUB.fullmatch(path.read_text()) and "{% yield" not in str(path)
    ]
    assert [path for path in stubs if path.name != ".copier-answers.yml.jinja"] == []


def test_every_shared_file_is_used() -> None:
    used = {name for path in template_files() for name in included_by(path)}
    used |= {
        str(source.relative_to(TEMPLATES.parent))
        for framework in frameworks()
        for source in listed(framework).values()
    }
    imported = {
        name for path in template_files() for name in names_in(path, nodes.Import, nodes.FromImport)
    }
    files = (path for path in SHARED.rglob("*") if path.is_file())
    there = {str(path.relative_to(TEMPLATES.parent)) for path in files}
    questions = (TEMPLATES.parent / "copier.yml").read_text()
    by_a_question = {name for name in there if f"include '{name}'" in questions}
    assert there - used - imported - by_a_question == set()


def test_nothing_stands_in_two_templates_that_could_be_shared() -> None:
    """The same run of lines in two frameworks' own files belongs into one shared file."""
    places = defaultdict(set)
    for framework in frameworks():
        for path in sorted((TEMPLATES / framework / "project").rglob("*")):
            if path.is_file():
                text = WHAT_IS_IMPORTED.sub("", path.read_text())
                lines = [line.strip() for line in text.split("\n") if line.strip()]
                for start in range(len(lines) - SAME_LINES + 1):
                    run = tuple(lines[start : start + SAME_LINES])
                    places[run].add(framework)
    repeated = {"\n".join(run): sorted(where) for run, where in places.items() if len(where) > 1}
    assert repeated == {}


def test_every_gauge_says_how_several_workers_add_up() -> None:
    """Without a mode, each worker's value stands in the metrics by itself, with its `pid`."""
    gauges = [
        call
        for path in TEMPLATES.rglob("*.py*")
        for call in re.findall(r"\bGauge\((.*?)\n?\)", path.read_text(), re.DOTALL)
    ]
    assert len(gauges) > 4
    assert [call for call in gauges if "multiprocess_mode=" not in call] == []
