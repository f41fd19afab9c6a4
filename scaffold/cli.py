"""Define the commands; nothing else imports typer, prints or decides the exit code.

What is slow to import (copier, questionary) or used by one command only is imported inside the
commands.
"""

import errno
import inspect
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scaffold import __version__, schema
from scaffold.advice.evidence import RankBy, recommend
from scaffold.answers import answers
from scaffold.catalog import catalog, settings, skills
from scaffold.catalog.catalog import Catalog, Option, Question
from scaffold.errors import Interrupted, MissingAnswers, UserError
from scaffold.escaping import escape, quote_path
from scaffold.making import service
from scaffold.terminal import text_output
from scaffold.terminal.view import NARROWEST, Terminal

if TYPE_CHECKING:
    from scaffold.catalog.sources import Source
    from scaffold.growing.changes import Change, Resources
    from scaffold.growing.grow import Grown
    from scaffold.terminal.conversation import Conversation
    from scaffold.terminal.missing import Questions
    from scaffold.terminal.wizard import Wizard
    from scaffold.updating.update import Service as Changing

UNEXPECTED = 1
USAGE = 2
REFUSED = 3
CONFLICTS = 4
BEHIND_OR_DRIFTED = 5
# These work without a network, because they only need the tool's own templates.
WITHOUT_SOURCE = {"-h", "--help", "--version", "check", "skills", "add", "remove"}
# Not their docstrings: PYTHONOPTIMIZE=2 has none.
HELP = {
    "scaffold": (
        "Generate production-ready Python microservices in the framework that suits the workload."
    ),
    "new": "Generate a service, from answers to questions or from flags.",
    "advise": "Rank the frameworks for a workload, with reasons.",
    "list": "List the frameworks and their facts.",
    "show": "Show a framework's ratings, facts, known limitations and generated files.",
    "update": ("Update a service to the latest template release, keeping your changes."),
    "add": "Add a resource, a field or a feature to a service.",
    "add resource": "Add a resource and a migration that creates its table.",
    "add field": "Add a field to a resource and a migration that keeps existing rows.",
    "remove": "Remove a resource, a field or a feature from a service.",
    "remove resource": "Remove a resource and add a migration that drops its table.",
    "remove field": "Remove a field from a resource and add a migration that drops its column.",
    "check": ("Show which services are behind their template, and which files have drifted."),
    "schema": "Print all questions as JSON Schema, for scripts and agents.",
    "skills": "List the skills for coding agents, print one, or write them to a folder.",
    "matrix": ("List the services that test the templates; with --json, as a workflow matrix."),
}
# An example for a command that was given too few arguments.
WOULD_WORK = {
    "add resource": "scaffold add resource 'booking guest:str'",
    "add field": "scaffold add field RESOURCE 'vip:bool:default=false'",
    "remove resource": "scaffold remove resource NAME",
    "remove field": "scaffold remove field RESOURCE NAME",
}
HERE = Path()
# Errors that only the system can cause: permissions, disk space, limits.
BY_THE_SYSTEM = {
    getattr(errno, name, None)
    for name in "EACCES EPERM EROFS ENOSPC EDQUOT EFBIG EMFILE ENFILE ENOMEM EIO EAGAIN".split()
} - {None}

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and never prompt.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Maintained = Annotated[bool, typer.Option("--maintained", help="Leave out inactive frameworks.")]
By = Annotated[
    RankBy,
    typer.Option("--rank-by", help="Rank by the article's ratings or by benchmark results."),
]
Explain = Annotated[bool, typer.Option("--explain", help="Show every reason for every framework.")]
Name = Annotated[str | None, typer.Argument(help="The name of the service, such as my-svc.")]
Output = Annotated[
    Path,
    typer.Option(
        help="The folder to generate it in. [default: current folder]", show_default=False
    ),
]
AnswersFile = Annotated[
    Path | None, typer.Option("--answers", help="Read answers from a YAML or JSON file.")
]
Defaults = Annotated[bool, typer.Option("--defaults", help="Use every default and never prompt.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the files without writing them.")]
NoLock = Annotated[bool, typer.Option("--no-lock", help="Do not run `uv lock`.")]
NoMigration = Annotated[
    bool, typer.Option("--no-migration", help="Write no migration: you have one for this change.")
]
NoGit = Annotated[bool, typer.Option("--no-git", help="Do not create a git repository.")]
Services = Annotated[list[Path], typer.Argument(help="The folders of the services.")]
Service = Annotated[Path, typer.Argument(help="The folder of the service.")]
Preview = Annotated[bool, typer.Option("--dry-run", help="Show the diff without writing it.")]
NewDefaults = Annotated[
    bool, typer.Option("--defaults", help="Use the defaults of new questions and never prompt.")
]
VersionsOnly = Annotated[bool, typer.Option("--versions", help="Compare versions only, not files.")]
Jobs = Annotated[
    int | None,
    typer.Option(help="Processes that compare files. [default: one per core]", min=1),
]
Part = Annotated[
    list[str] | None, typer.Argument(help="Only services with these values, such as flask 3.12.")
]
Shards = Annotated[
    int | None,
    typer.Option(min=1, help="Divide the services among this many jobs.", show_default=False),
]


Into = Annotated[
    Path,
    typer.Option("--into", help="The folder of the service."),
]
Declaration = Annotated[
    str | None,
    typer.Argument(help="The resource and its fields, such as 'room name:str seats:int'."),
]
FieldDeclaration = Annotated[
    str | None, typer.Argument(help="The field, such as 'vip:bool:default=false'.", metavar="FIELD")
]


def _recorded(context: typer.Context) -> list[str]:
    """What a shell offers for the name of a resource: those of the service."""
    from scaffold.catalog import record

    with suppress(UserError):
        made = record.read(context.params.get("folder") or HERE)
        return [resource["name"] for resource in made.answers.get(record.RESOURCES, ())]
    return []


OldResource = Annotated[
    str | None,
    typer.Argument(help="The name of a resource.", metavar="NAME", autocompletion=_recorded),
]
OfResource = Annotated[
    str | None,
    typer.Argument(help="The name of its resource.", metavar="RESOURCE", autocompletion=_recorded),
]
OldField = Annotated[str | None, typer.Argument(help="The name of the field.", metavar="NAME")]


def _frameworks() -> list[tuple[str, str]]:
    """What a shell offers for the id of a framework, each with a word about it."""
    return [(framework.id, framework.summary) for framework in catalog.load().frameworks]


WhichFramework = Annotated[
    str,
    typer.Argument(help="The ID of a framework; see `scaffold list`.", autocompletion=_frameworks),
]


def _skills() -> list[tuple[str, str]]:
    """What a shell offers for the name of a skill, each with a word about it."""
    return [(skill.name, skill.description) for skill in skills.load()]


SkillName = Annotated[
    str | None,
    typer.Argument(help="The skill to print.", autocompletion=_skills, show_default=False),
]
SkillsFolder = Annotated[
    Path | None,
    typer.Option("--output", help="Write the skills to this folder, such as .agents/skills."),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"scaffold {__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version),
]


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code. Never raises for what a user did."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        with ExitStack() as stack:
            command = typer.main.get_command(build(_templates(arguments, stack)))
            words = list(arguments) or ["--help"]
            code = command(words, prog_name="scaffold", standalone_mode=False)
        if code == Interrupted.code:
            raise KeyboardInterrupt  # typer has made an exit code of it
        return code or 0
    except BrokenPipeError:
        return 0  # whoever read the output has enough; what was to be made is made by then
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
            return 0  # the same, by typer's hand
        return int(ended.code or 0)  # a shell asked how to complete a line, and has its answer
    except BaseException as error:
        return _failed(error, arguments)


def build(known: Catalog) -> typer.Typer:
    """The application, with a flag for each question of `known`."""
    app = typer.Typer(
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "obj": known},
    )
    app.callback(help=HELP["scaffold"])(_root)

    def command(name: str) -> Callable[[Callable[..., None]], object]:
        return app.command(name, help=HELP[name])

    command("new")(_with_flags(new, [*known.fields, *known.workload]))
    by_figures = [known.measured_by] if known.measured_by else []
    command("advise")(_with_flags(advise_, [*known.workload, *by_figures]))
    command("list")(list_)
    command("show")(show)
    # Resources change by migrations of their own, not by other answers to the same release.
    command("update")(_with_flags(update_, [q for q in known.fields if not q.is_declared]))
    besides = [option for q in known.fields if q.multiple for option in q.options]
    _add_group(app, "add", {"resource": add_resource, "field": add_field}, besides)
    _add_group(app, "remove", {"resource": remove_resource, "field": remove_field}, besides)
    command("check")(check_)
    command("schema")(schema_)
    command("skills")(skills_)
    command("matrix")(matrix_)
    return app


def _add_group(
    app: typer.Typer, name: str, commands: Mapping[str, Callable[..., None]], besides: list[Option]
) -> None:
    """A command that has commands of its own, one of them for each of `besides`."""
    group = typer.Typer(rich_markup_mode=None, help=HELP[name])
    for part, command in commands.items():
        group.command(part, help=HELP[f"{name} {part}"])(command)
    for option in besides:
        about = f"{name.capitalize()} {option.id} ({option.label})."
        group.command(option.id, help=about)(_changing_besides(option.id, adds=name == "add"))
    app.add_typer(group, name=name)


def _templates(arguments: Sequence[str], stack: ExitStack) -> Catalog:
    """The catalog of the templates in use, read from an organisation's source if one is set."""
    here = not arguments or WITHOUT_SOURCE.intersection(arguments)
    place = None if here else settings.source()
    if place is None:
        return catalog.load()
    from scaffold.catalog import sources

    source = stack.enter_context(sources.opened(place))
    return sources.catalog_of(source)


def _with_flags(command: Callable[..., None], questions: Iterable[Question]) -> Callable[..., None]:
    """`command` with a flag for each question in place of its `**flags`."""
    signature = inspect.signature(command)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    flags = [_flag(one) for one in questions if _parameter(one) not in signature.parameters]
    command.__signature__ = signature.replace(parameters=[*own, *flags])  # type: ignore[attr-defined]
    command.__annotations__ |= {flag.name: flag.annotation for flag in flags}
    return command


def _flag(question: Question) -> inspect.Parameter:
    by_workload = question.id == "framework"
    if question.is_declared:
        return _declaration(question)
    if question.multiple:
        return _several(question)
    usual = f" [default: {question.default}]" if question.default and not by_workload else ""
    option = typer.Option(
        f"--{question.id}",
        help=question.ask + usual,
        metavar="|".join(question.choices) or "TEXT",
        autocompletion=lambda: [(option.id, option.label) for option in question.options],
    )
    return inspect.Parameter(
        question.id,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[str | None, option],
    )


def _declaration(question: Question) -> inspect.Parameter:
    """A flag that may be repeated, once for each resource."""
    names = ", ".join(one["name"] for one in question.default)
    option = typer.Option(
        question.flag,
        help=f"{question.ask} One resource; may be repeated. [default: {names}]",
        metavar="DECLARATION",
    )
    return _repeatable(question, option)


def _several(question: Question) -> inspect.Parameter:
    """A flag for any number of choices, with commas or repeated."""
    option = typer.Option(
        question.flag,
        help=f"{question.ask} Separated by commas; may be repeated. [default: none]",
        metavar=",".join(question.choices),
        autocompletion=lambda: [(option.id, option.label) for option in question.options],
    )
    return _repeatable(question, option)


def _repeatable(question: Question, option: Any) -> inspect.Parameter:
    return inspect.Parameter(
        _parameter(question),
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[list[str] | None, option],
    )


def _parameter(question: Question) -> str:
    """The name of its flag in Python, where a keyword cannot be one."""
    return f"{question.id}_" if iskeyword(question.id) else question.id


def _by_question(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The values of flags by the ids of their questions."""
    return {key.removesuffix("_"): value for key, value in flags.items()}


# ---- the commands


def _root(version: Version = False) -> None:
    """What stands before any command."""


def new(
    context: typer.Context,
    name: Name = None,
    output: Output = HERE,
    answers_file: AnswersFile = None,
    defaults: Defaults = False,
    maintained: Maintained = False,
    rank_by: By = RankBy.ARTICLE,
    dry_run: DryRun = False,
    no_lock: NoLock = False,
    no_git: NoGit = False,
    as_json: Json = False,
    debug: Debug = False,
    **flags: Any,
) -> None:
    known: Catalog = context.obj
    made, steps = None, _steps(no_lock, no_git)
    try:
        given = answers.collect(known, answers_file, {"name": name, **_by_question(flags)})
        asking = _on_terminal() and not (as_json or defaults)
        if asking:
            chosen = _wizard(known, output).everything(given, maintained, rank_by)
        else:
            chosen = answers.resolve(known, given, defaults, maintained, rank_by)
        complete = answers.complete(known, chosen)
        command = text_output.command_line(known, complete, _place(output), steps)
        by_figures = rank_by is RankBy.BENCHMARKS and not asking and "framework" not in given
        told = (known, answers.weighed(known, given, defaults), maintained, rank_by)
        recommendation = recommend(*told) if by_figures else None
        made = service.create(known, complete, output, steps, _progress, dry_run)
        if as_json:
            _print_json(schema.project(made, command, recommendation))
        else:
            print(text_output.chosen(_view(), recommendation) if recommendation else "", end="")
            advised = (maintained, rank_by) if asking and "framework" not in given else None
            then = _second(known, chosen, output, advised)
            print(text_output.ending(_view(), made, output, command, dry_run, then))
    except KeyboardInterrupt:
        message = service.whole(made.path) if made and not dry_run else service.NOTHING_WRITTEN
        raise Interrupted(message) from None


def _steps(no_lock: bool, no_git: bool) -> tuple[str, ...]:
    return tuple(step for step, left_out in (("lock", no_lock), ("git", no_git)) if not left_out)


def _second(
    known: Catalog, chosen: Mapping[str, Any], output: Path, advised: tuple[bool, RankBy] | None
) -> str | None:
    """The command for the second service, if the wizard `advised` two: what it went by."""
    other = answers.other_half(known, chosen, *advised) if advised else None
    return text_output.following(known, chosen, other, _place(output)) if other else None


def _place(output: Path) -> str | None:
    return None if output == HERE else str(output)


def advise_(
    context: typer.Context,
    maintained: Maintained = False,
    rank_by: By = RankBy.ARTICLE,
    explain: Explain = False,
    as_json: Json = False,
    debug: Debug = False,
    **flags: str | None,
) -> None:
    known: Catalog = context.obj
    given = answers.collect(known, None, flags)
    asked = given.keys().isdisjoint(question.id for question in known.workload)
    if _on_terminal() and asked and not as_json:
        given |= _wizard(known, HERE).workload(given)
    recommendation = recommend(known, given, maintained, rank_by)
    if as_json:
        _print_json(schema.advice(recommendation))
    else:
        print(text_output.advice(_view(), known, recommendation, explain))


def list_(
    context: typer.Context,
    maintained: Maintained = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    known: Catalog = context.obj
    listed = [f for f in known.frameworks if f.facts.maintained or not maintained]
    if as_json:
        _print_json({"frameworks": [schema.framework(known, one) for one in listed]})
    else:
        print(text_output.frameworks(_view(), known, listed))


def show(
    context: typer.Context,
    framework: WhichFramework,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    known: Catalog = context.obj
    one = answers.framework_called(known, framework)
    files = service.preview(known, one)
    if as_json:
        _print_json(schema.framework_in_full(known, one, files))
    else:
        print(text_output.framework(_view(), known, one, files))


def update_(
    context: typer.Context,
    folder: Service = HERE,
    defaults: NewDefaults = False,
    dry_run: Preview = False,
    no_lock: NoLock = False,
    as_json: Json = False,
    debug: Debug = False,
    **flags: Any,
) -> None:
    from scaffold.catalog import sources
    from scaffold.terminal import report
    from scaffold.updating import update

    given = {key: value for key, value in _by_question(flags).items() if value is not None}
    found = update.find(folder)
    update.refuse_fixed(found.made, given)
    place = sources.place_of(found.made.origin, settings.source())
    with sources.opened(place) as source:
        known: Catalog = context.obj
        questions = sources.questions_of(source)
        answers.check(known, given)
        asking = _on_terminal() and not (as_json or defaults)
        kept, missing = answers.carry_over(questions, found.made.answers, given)
        asked = _wizard(known, HERE).answers_to(missing, kept) if asking and missing else None
        complete = kept | (asked or answers.defaults_of(missing))
        answers.refuse_together(known, complete)
        answers.refuse_kept(source.root(source.newest), complete)
        done = update.apply_update(
            found, source, complete, _progress, dry_run=dry_run, lock=not no_lock
        )
    if as_json:
        _print_json(schema.updated(done))
    else:
        print(report.updated(_view(), done))
    if done.conflicts:
        raise typer.Exit(CONFLICTS)


def add_resource(
    declaration: Declaration = None,
    folder: Into = HERE,
    dry_run: Preview = False,
    no_lock: NoLock = False,
    no_migration: NoMigration = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    from scaffold.growing import changes

    how = {"dry_run": dry_run, "lock": not no_lock, "migrate": not no_migration}
    given = {"declaration": declaration}
    _grow("add resource", folder, changes.add_resource, given, as_json, how)


def add_field(
    resource: OfResource = None,
    field: FieldDeclaration = None,
    folder: Into = HERE,
    dry_run: Preview = False,
    no_lock: NoLock = False,
    no_migration: NoMigration = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    from scaffold.growing import changes

    how = {"dry_run": dry_run, "lock": not no_lock, "migrate": not no_migration}
    given = {"name": resource, "declaration": field}
    _grow("add field", folder, changes.add_field, given, as_json, how)


def remove_resource(
    name: OldResource = None,
    folder: Into = HERE,
    dry_run: Preview = False,
    no_lock: NoLock = False,
    no_migration: NoMigration = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    from scaffold.growing import changes

    how = {"dry_run": dry_run, "lock": not no_lock, "migrate": not no_migration}
    given = {"name": name}
    _grow("remove resource", folder, changes.remove_resource, given, as_json, how)


def remove_field(
    resource: OfResource = None,
    name: OldField = None,
    folder: Into = HERE,
    dry_run: Preview = False,
    no_lock: NoLock = False,
    no_migration: NoMigration = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    from scaffold.growing import changes

    how = {"dry_run": dry_run, "lock": not no_lock, "migrate": not no_migration}
    given = {"name": resource, "field_name": name}
    _grow("remove field", folder, changes.remove_field, given, as_json, how)


def _changing_besides(choice: str, adds: bool) -> Callable[..., None]:
    """The command that adds or removes what a service may have besides."""

    def change(
        context: typer.Context,
        folder: Into = HERE,
        dry_run: Preview = False,
        no_lock: NoLock = False,
        as_json: Json = False,
        debug: Debug = False,
    ) -> None:
        from scaffold.catalog import sources
        from scaffold.growing import grow
        from scaffold.updating import update

        found = update.find(folder, f"scaffold {'add' if adds else 'remove'}")
        with sources.opened(sources.place_of(found.made.origin, settings.source())) as source:
            known: Catalog = context.obj
            what = (found, source, known, choice, adds)
            done = grow.apply_choice(*what, _progress, dry_run=dry_run, lock=not no_lock)
        _show_grown(done, as_json)

    return change


def _grow(
    command: str,
    folder: Path,
    change: "Callable[..., Change]",
    given: Mapping[str, str | None],
    as_json: bool,
    how: Mapping[str, bool],
) -> None:
    from scaffold.catalog import sources
    from scaffold.growing import grow
    from scaffold.updating import update

    asking = None in given.values()
    if asking and (as_json or not _on_terminal()):
        raise MissingAnswers(f"Cannot prompt here. Try: {WOULD_WORK[command]}")
    found = update.find(folder, f"scaffold {command.split()[0]}")
    with sources.opened(sources.place_of(found.made.origin, settings.source())) as source:
        if asking:
            judge = partial(_judged, found, source, change)
            given = _questions(grow.resources_of(found), judge).complete(given)
        asked = partial(change, **given)
        done = grow.apply_change(found, source, asked, _progress, **how)
    _show_grown(done, as_json)


def _show_grown(done: "Grown", as_json: bool) -> None:
    from scaffold.terminal import report

    if as_json:
        _print_json(schema.grown(done))
    else:
        print(report.grown(_view(), done))
    if done.conflicts:
        raise typer.Exit(CONFLICTS)


def _judged(
    found: "Changing", source: "Source", change: "Callable[..., Change]", given: Mapping[str, str]
) -> None:
    from scaffold.growing import grow

    grow.planned(found, source, partial(change, **given))


def _questions(resources: "Resources", judge: Callable[[Mapping[str, str]], object]) -> "Questions":
    from scaffold.terminal.missing import Questions

    return Questions(_conversation(), _view(), resources, judge)


def check_(
    folders: Services,
    versions: VersionsOnly = False,
    jobs: Jobs = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    from scaffold.terminal import report
    from scaffold.updating.check import check

    found = list(check(folders, settings.source(), not versions, jobs))
    if as_json:
        _print_json(schema.checked(found))
    else:
        print(report.checked(_view(), found))
    if any(one.problem for one in found):
        raise typer.Exit(REFUSED)
    if any(one.behind or one.drift for one in found):
        raise typer.Exit(BEHIND_OR_DRIFTED)


def schema_(context: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    _print_json(schema.questions(context.obj))


def skills_(
    name: SkillName = None,
    output: SkillsFolder = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    known = skills.load()
    chosen = [skills.called(known, name)] if name else known
    written = skills.write(chosen, output) if output else []
    if as_json:
        _print_json(schema.skills(chosen, written))
    elif name and not output:
        print(chosen[0].text, end="")
    else:
        print(text_output.skills(_view(), chosen, written))


def matrix_(
    context: typer.Context,
    part: Part = None,
    shards: Shards = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    from scaffold import matrix
    from scaffold.catalog import sources

    known: Catalog = context.obj
    with sources.opened(settings.source()) as source:
        every = matrix.cells(known, matrix.before(source))
    cells = matrix.chosen(known, every, part or ())
    if as_json:
        _print_json(matrix.for_workflow(cells, shards))
    else:
        print("\n".join(cell.id for cell in cells))


# ---- what they share


def _wizard(known: Catalog, output: Path) -> "Wizard":
    from scaffold.terminal.wizard import Wizard

    return Wizard(known, _conversation(), _view(), partial(service.refusal, output))


def _conversation() -> "Conversation":
    from scaffold.terminal import prompts
    from scaffold.terminal.conversation import Conversation

    plain = os.environ.get("TERM", "dumb") in ("", "dumb", "unknown")
    prompter = (prompts.LinePrompter if plain else prompts.MenuPrompter)(print, _view())
    return Conversation(prompter, print)


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _view() -> Terminal:
    """What stdout can show."""
    terminal = sys.stdout.isatty()
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM", "dumb") in ("", "dumb")
    return Terminal(
        width=max(shutil.get_terminal_size().columns, NARROWEST),
        colour=terminal and not plain,
        drawing=sys.stdout.encoding.lower().startswith("utf"),
        wraps=terminal,
    )


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2))


# ---- what went wrong


def _failed(error: BaseException, arguments: Sequence[str]) -> int:
    """Tells what went wrong, as text or as JSON; returns the exit code."""
    before_dashes = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    if "--debug" in before_dashes:
        traceback.print_exception(error)
    code, kind, message = _describe_error(error)
    with suppress(BrokenPipeError):
        if "--json" in before_dashes:
            _print_json(schema.error(code, kind, message))
        else:
            print(_format_message(message), file=sys.stderr)
    return code


def _format_message(message: str) -> str:
    """The message, wrapped where a person reads it on a terminal."""
    if not sys.stderr.isatty():
        return f"scaffold: {message}"
    first, *others = message.splitlines()
    lines = [*_view().wrapped(first, "  ", "scaffold: ")]
    return "\n".join([*lines, *(line for other in others for line in _view().wrapped(other, "  "))])


def _describe_error(error: BaseException) -> tuple[int, str, str]:
    """The exit code, the slug and the sentence for an error."""
    if isinstance(error, UserError):
        return error.code, error.kind, str(error)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return Interrupted.code, Interrupted.kind, "Interrupted."
    if isinstance(error, typer.TyperException):
        return USAGE, "usage", error.format_message()
    if isinstance(error, OSError) and error.errno in BY_THE_SYSTEM:
        where = f"{quote_path(error.filename)}: " if error.filename else ""
        return REFUSED, "target-refuses", f"{where}{error.strerror}."
    about = escape(f"{type(error).__name__}: {error}".rstrip(": "))
    return (
        UNEXPECTED,
        "unexpected",
        f"Unexpected error ({about}). Run the command again with --debug.",
    )
