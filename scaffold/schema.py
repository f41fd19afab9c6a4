"""Turn the questions into JSON Schema, and results into plain values for `--json`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from scaffold.advice.evidence import Comparison, RankBy, Recommendation, order
from scaffold.advice.ranking import Advice, Ranked
from scaffold.answers import answers, naming
from scaffold.catalog.catalog import Catalog, Framework, Question
from scaffold.catalog.measured import Figures
from scaffold.making.service import Made

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scaffold.catalog.skills import Skill
    from scaffold.growing.grow import Grown
    from scaffold.updating.check import Checked
    from scaffold.updating.update import Updated


def questions(catalog: Catalog) -> dict[str, Any]:
    """A schema for a file of answers, as `scaffold new --answers` reads it."""
    asked = (*catalog.fields, *catalog.workload)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Answers for scaffold new",
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {q.id: _property(catalog, q) for q in asked},
    }


def _property(catalog: Catalog, question: Question) -> dict[str, Any]:
    about = f"{question.ask} {question.explain}".strip()
    if question.is_declared:
        return _declared(catalog, question, about)
    if question.multiple:
        return _several(question, about)
    shape: dict[str, Any] = {"type": "string", "description": about}
    if question.default is not None:
        shape["default"] = question.default
    if question.id == "name":
        return shape | {"pattern": naming.PATTERN, "maxLength": naming.MAX_LENGTH}
    if question.id == "framework":
        return shape | {"oneOf": [_const(f, catalog.framework(f).name) for f in question.choices]}
    if question.options:
        return shape | {"oneOf": [_const(o.id, o.label) for o in question.options]}
    return shape | {"maxLength": answers.MAX_TEXT_LENGTH}


def _declared(catalog: Catalog, question: Question, about: str) -> dict[str, Any]:
    """Without the names that any framework uses, since the workload may choose each of them."""
    from scaffold.answers import declarations
    from scaffold.resources import schema

    reserved = declarations.reserved(catalog.root, (one.id for one in catalog.frameworks))
    shape = schema.schema(reserved)
    described = f"{about} {shape['description']}"
    return shape | {"description": described, "default": question.default}


def _several(question: Question, about: str) -> dict[str, Any]:
    return {
        "type": "array",
        "description": about,
        "default": question.default,
        "uniqueItems": True,
        "items": {"oneOf": [_const(option.id, option.label) for option in question.options]},
    }


def _const(value: str, title: str) -> dict[str, str]:
    return {"const": value, "title": title}


def advice(recommendation: Recommendation) -> dict[str, Any]:
    """The ranking that was asked for, and under keys of its own what the other evidence says."""
    by_figures = recommendation.rank_by is RankBy.BENCHMARKS
    return {
        **_result(recommendation.advice),
        "answers": dict(recommendation.advice.answers),
        "rank_by": recommendation.rank_by.value,
        "article": _result(recommendation.article) if by_figures else None,
        "benchmarks": _beside(recommendation),
        "ties": [[framework.id for framework in tie] for tie in recommendation.advice.ties],
    }


def _result(advised: Advice) -> dict[str, Any]:
    return {
        "ranking": [_ranked(ranked) for ranked in advised.ranking],
        "split": [framework.id for framework in advised.split] or None,
        "close": advised.close,
    }


def _beside(recommendation: Recommendation) -> dict[str, Any] | None:
    """Benchmark results, beside the article's strengths, and the order that it would make."""
    if not recommendation.date:
        return None
    return {
        "date": recommendation.date.isoformat(),
        "database": recommendation.database,
        "order": order(recommendation.measured) if recommendation.measured else None,
        "strengths": [_comparison(one) for one in recommendation.comparisons],
    }


def _comparison(one: Comparison) -> dict[str, Any]:
    return {
        "framework": one.framework.id,
        "criterion": one.criterion,
        "asked": one.asked,
        "what": one.measure.what,
        "unit": one.measure.unit,
        "article": one.said.strength if one.said else None,
        "measured": one.standing._asdict() if one.standing else None,
        "disagrees": one.disagrees,
    }


def _ranked(ranked: Ranked) -> dict[str, Any]:
    return {
        "framework": ranked.framework.id,
        "fit": ranked.fit,
        "score": ranked.score,
        "reasons": [reason._asdict() for reason in ranked.reasons],
        "cautions": list(ranked.cautions),
    }


def framework(catalog: Catalog, one: Framework) -> dict[str, Any]:
    """The facts and figures of one framework, without its evidence."""
    other = one.facts.alternative
    facts = one.facts._asdict() | {
        "alternative": other._asdict() if other else None,
        "released": one.facts.released.isoformat(),
        "pythons": list(one.facts.pythons),
    }
    return {
        "framework": one.id,
        "name": one.name,
        "summary": one.summary,
        "template": one.has_template,
        "facts": facts,
        "measured": _measured(catalog, one),
    }


def _measured(catalog: Catalog, one: Framework) -> dict[str, Any] | None:
    """All that was measured of a framework's service, with when and on what."""
    served = catalog.served(one)
    if not served or not catalog.measurement:
        return None
    conditions = catalog.measurement._asdict() | {
        "date": catalog.measurement.date.isoformat(),
        "machine": catalog.measurement.machine._asdict(),
    }
    del conditions["frameworks"]
    databases = {
        database: {request: _figures(one) for request, one in requests.items()}
        for database, requests in served.databases.items()
    }
    return conditions | served._asdict() | {"databases": databases}


def _figures(one: Figures) -> dict[str, Any]:
    return one._asdict() | {"bare": one.bare._asdict()}


def framework_in_full(catalog: Catalog, one: Framework, files: list[str]) -> dict[str, Any]:
    return framework(catalog, one) | {
        "evidence": [evidence._asdict() for evidence in one.evidence.values()],
        "limits": [limit._asdict() for limit in one.limits],
        "budget": dict(one.budget),
        "files": files,
    }


def skills(listed: "Sequence[Skill]", written: "Sequence[Path]") -> dict[str, Any]:
    return {
        "skills": [skill._asdict() for skill in listed],
        "files": [str(file) for file in written],
    }


def error(code: int, kind: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "kind": kind, "message": message}}


def project(
    made: Made, command: str, recommendation: Recommendation | None = None
) -> dict[str, Any]:
    """`recommendation` is what a choice by the measurement went by."""
    chosen = {"chosen": _chosen(recommendation)} if recommendation else {}
    return chosen | {
        "path": str(made.path),
        "package": naming.package_of(made.path.name),
        "framework": made.framework,
        "version": made.version,
        "files": made.files,
        "warnings": made.warnings,
        "run": list(made.run),
        "command": command,
    }


def _chosen(recommendation: Recommendation) -> dict[str, Any]:
    return {
        "rank_by": recommendation.rank_by.value,
        "benchmarks": order(recommendation.measured)[0] if recommendation.measured else None,
        "article": order(recommendation.article)[0],
    }


def updated(done: "Updated") -> dict[str, Any]:
    shown = {
        "path": str(done.path),
        "framework": done.framework,
        "from": done.before,
        "to": done.after,
        "files": [{"file": file, "how": how} for file, how in done.files],
        "conflicts": [asdict(conflict) for conflict in done.conflicts],
        "changes": [{"version": c.version, "items": list(c.items)} for c in done.changes],
        "warnings": list(done.warnings),
    }
    return shown if done.diff is None else shown | {"diff": done.diff}


def grown(done: "Grown") -> dict[str, Any]:
    shown = {
        "path": str(done.path),
        "framework": done.framework,
        "message": done.message,
        "files": [{"file": file, "how": how} for file, how in done.files],
        "conflicts": [asdict(conflict) for conflict in done.conflicts],
        "warnings": list(done.warnings),
    }
    return shown if done.diff is None else shown | {"diff": done.diff}


def checked(found: "list[Checked]") -> dict[str, Any]:
    return {"services": [_checked(one) for one in found]}


def _checked(one: "Checked") -> dict[str, Any]:
    drift = None if one.drift is None else [{"file": file, "how": how} for file, how in one.drift]
    return {
        "path": str(one.path),
        "framework": one.framework,
        "version": one.version,
        "newest": one.newest,
        "behind": one.behind,
        "drift": drift,
        "problem": one.problem,
    }
