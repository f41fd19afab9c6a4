"""The article's word and what was measured, side by side and never blended.

The figures are invented.
"""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scaffold import schema
from scaffold.advice.evidence import RankBy, Recommendation, order, recommend
from scaffold.advice.ranking import Advice, advise
from scaffold.catalog import catalog, measured
from scaffold.catalog.catalog import Catalog
from scaffold.errors import NotMeasured, SourceError
from scaffold.terminal import text_output
from scaffold.terminal.view import Terminal as View
from tests.tool.conftest import REPOSITORY, Checkout, make_checkout
from tests.tool.invented import READ_US, known_with, write
from tests.tool.invented import measured as invented
from tests.tool.terminal import CTRL_C, ENTER, Terminal
from tests.tool.test_advice import SPLITS, WINS

FAST = {"talk": "http", "load": "rate", "size": "unsure"}  # speed 4, rest 1, small 1
# Nothing but scale is asked of most: Django, FastAPI, Sanic and Pyramid have the same score.
TIED = {"talk": "messages", "size": "unsure"}
EQUAL = {"django", "fastapi", "sanic", "pyramid"}


@pytest.fixture
def figured(known: Catalog, tmp_path: Path) -> Catalog:
    return known_with(known, tmp_path)


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The command, with figures beside its guidance."""
    made = make_checkout(tmp_path_factory.mktemp("measured"))
    write(made.root)
    return made


def scores(advice: Advice) -> dict[str, int]:
    return {ranked.framework.id: ranked.score for ranked in advice.ranking}


def told(figured: Catalog, answers: Mapping[str, str], **how: Any) -> str:
    """What `scaffold advise` prints."""
    columns, explain = how.pop("columns", 80), how.pop("explain", False)
    recommendation = recommend(figured, answers, **how)
    return text_output.advice(view(columns), figured, recommendation, explain) + "\n"


def view(columns: int = 80, drawing: bool = True) -> View:
    return View(width=columns, colour=False, drawing=drawing)


def words(text: str) -> str:
    return " ".join(text.split())


def without(key: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != key}


# ---- by default the article's word makes the ranking


@pytest.mark.parametrize("seed", range(12))
def test_the_cases_of_the_guidance_hold_whatever_was_measured(
    known: Catalog, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    figures = {id_: chance.uniform(50, 400) for id_ in READ_US}
    figured = known_with(known, tmp_path, invented(figures))
    for case in WINS:
        first, second = order(advise(figured, case["answers"]))[:2]
        assert (first, second) == (case["winner"], case.get("runner_up", second)), case["name"]
    for case in SPLITS:
        split = [framework.id for framework in advise(figured, case["answers"]).split]
        assert split == case["split"]


def test_what_was_measured_moves_no_score_and_nothing_but_ties(figured: Catalog) -> None:
    plain = replace(figured, measurement=None)
    settled = 0
    for chosen in itertools.product(*(question.choices for question in figured.workload)):
        answers = dict(zip((q.id for q in figured.workload), chosen, strict=True))
        before, after = advise(plain, answers), advise(figured, answers)
        assert scores(before) == scores(after)
        where = {id_: place for place, id_ in enumerate(order(before))}
        ties = [{framework.id for framework in tie} for tie in after.ties]
        for place, id_ in enumerate(order(after)):
            assert where[id_] == place or any(id_ in tie for tie in ties)
        settled += len(ties)
    assert settled


# ---- ties


def test_a_tie_goes_by_the_measured_strength_then_by_the_newer_release(
    known: Catalog, tmp_path: Path
) -> None:
    # 190 is within twice the best, as 150 is: the same strength, and no reason to prefer one
    figures = {**READ_US, "django": 110, "sanic": 150, "pyramid": 190, "fastapi": 260}
    advice = advise(known_with(known, tmp_path, invented(figures)), TIED)
    tied = [id_ for id_ in order(advice) if id_ in EQUAL]
    assert known.framework("sanic").facts.released > known.framework("pyramid").facts.released
    assert tied == ["django", "sanic", "pyramid", "fastapi"]
    assert [[f.id for f in tie] for tie in advice.ties if {f.id for f in tie} == EQUAL] == [tied]


def test_criteria_met_come_before_what_was_measured(known: Catalog, tmp_path: Path) -> None:
    figures = {**READ_US, "django": 400, "nameko": 100}
    figured = known_with(known, tmp_path, invented(figures))
    met = advise(figured, {"talk": "messages", "data": "yes", "size": "small"}).ranking[:2]
    assert [(ranked.framework.id, ranked.score) for ranked in met] == [
        ("django", 15),
        ("nameko", 15),
    ]


def test_a_tie_with_one_that_was_not_measured_goes_by_release_as_without_figures(
    known: Catalog, tmp_path: Path
) -> None:
    some = known_with(known, tmp_path, invented(without("sanic", READ_US)))
    plain = replace(known, measurement=None)
    of_both = [[i for i in order(advise(one, TIED)) if i in EQUAL] for one in (some, plain)]
    assert of_both[0] == of_both[1]
    assert not [tie for tie in advise(some, TIED).ties if {f.id for f in tie} & EQUAL]


def test_a_tie_that_was_settled_by_figures_is_said(figured: Catalog) -> None:
    in_order = "so ordered by benchmarks: Sanic, Pyramid, FastAPI, Django with DRF"
    assert in_order in words(told(figured, TIED))
    assert ["sanic", "pyramid", "fastapi", "django"] in schema.advice(recommend(figured, TIED))[
        "ties"
    ]


# ---- beside the article


@pytest.mark.parametrize(
    ("times", "strength"),
    [
        (1.0, 3),
        (1.25, 3),
        (1.26, 2),
        (2.0, 2),
        (2.01, 1),
        (3.0, 1),
        (3.004, 1),
        (3.01, 0),
        (40.0, 0),
    ],
)
def test_the_strength_is_how_many_times_the_least_it_takes(
    known: Catalog, tmp_path: Path, times: float, strength: int
) -> None:
    figures = {**READ_US, "falcon": 10.0, "tornado": 10.0 * times}
    figured = known_with(known, tmp_path, invented(figures))
    standing = figured.standings("speed", "sqlite")["tornado"]
    assert standing.strength == strength
    assert standing.times == round(times, 2)


def test_places_count_those_that_take_less(figured: Catalog) -> None:
    found = figured.standings("speed", "sqlite")
    assert {id_: one.place for id_, one in found.items()} == {
        id_: place for place, id_ in enumerate(READ_US, 1)
    }
    assert {one.of for one in found.values()} == {9}


def test_where_both_speak_and_are_two_strengths_apart_they_disagree(figured: Catalog) -> None:
    recommendation = recommend(figured, FAST)
    seen = {
        one.framework.id: (one.said and one.said.strength, one.standing and one.standing.strength)
        for one in recommendation.comparisons
    }
    assert seen == {
        "falcon": (3, 3),
        "flask": (1, 3),
        "pyramid": (1, 2),
        "sanic": (3, 2),
        "flask_restful": (None, 2),
        "fastapi": (2, 1),
        "nameko": (2, 1),
        "tornado": (2, 0),
        "django": (1, 0),
    }
    assert {one.framework.id for one in recommendation.comparisons if one.disagrees} == {
        "flask",
        "tornado",
    }
    assert all(one.asked for one in recommendation.comparisons)
    assert [one.framework.id for one in recommendation.comparisons] == order(recommendation.article)


def test_the_advice_shows_figures_beside_the_word_and_says_where_they_disagree(
    figured: Catalog,
) -> None:
    out = told(figured, FAST)
    assert out.startswith("Best match: Falcon (89 %)\n")
    assert "Runner-up: Sanic (67 %)" in out
    assert "\n  Falcon               +3   100 +3\n" in out
    assert "\n  Flask                +1   118 +3 !\n" in out
    assert "\n  Flask-RESTful         -   190 +2\n" in out
    assert "\n  Tornado              +2   310  0 !\n" in out
    text = words(out)
    assert "benchmark of 2026-11-22 (microseconds of server CPU to read one item on SQLite)" in text
    assert (
        "! Tornado: the two disagree. Article: high speed through non-blocking I/O (+2). "
        "Benchmark: 8th of 9, 3.1 times the best (0)." in text
    )
    assert "Ranked by benchmarks: Flask (94 %), then Falcon (89 %)" in text


def test_figures_that_no_answer_asks_for_are_shown_as_that(figured: Catalog) -> None:
    text = words(told(figured, {}))
    assert "Benchmark of 2026-11-22, microseconds of server CPU to read one item" in text
    assert "on SQLite: Flask 118 (2nd of 9), Flask-RESTful 190 (5th of 9). It does not" in text
    assert "disagree" not in text


def test_explain_has_the_figure_below_the_word(figured: Catalog) -> None:
    assert (
        "moderate speed, because it relies on other libraries (the article's table) benchmark: "
        "118 microseconds of server CPU to read one item, 2nd of 9, 1.18 times the best (+3); "
        "the two disagree" in words(told(figured, FAST, explain=True))
    )


def test_the_database_of_the_service_decides_which_figures_count(
    known: Catalog, tool: Checkout, tmp_path: Path
) -> None:
    content = invented()
    fast = invented({"django": 10})["frameworks"]["django"]["databases"]["postgresql"]
    content["frameworks"]["django"]["databases"]["postgresql"] = fast
    figured = known_with(known, tmp_path, content)
    places = {
        database: recommend(figured, {**FAST, "database": database}).comparisons
        for database in ("sqlite", "postgresql")
    }
    first = {
        key: next(o.framework.id for o in found if o.standing and o.standing.place == 1)
        for key, found in places.items()
    }
    assert first == {"sqlite": "falcon", "postgresql": "django"}
    said = tool.scaffold("advise", "--load", "rate", "--database", "postgresql", cwd=tmp_path).out
    assert "read one item on PostgreSQL" in " ".join(said.split())
    assert "\n  Flask                +1   236 +3 !\n" in said
    assert "database" not in tool.scaffold("advise", "--json", cwd=tmp_path).json["answers"]


def test_json_has_both_under_keys_of_their_own(known: Catalog, figured: Catalog) -> None:
    answers = {"load": "rate"}
    shown = schema.advice(recommend(figured, answers))
    plain = schema.advice(recommend(replace(known, measurement=None), answers))
    own = {"rank_by", "article", "benchmarks", "ties"}
    assert {key: shown[key] for key in shown.keys() - own - {"ranking"}} == {
        key: plain[key] for key in plain.keys() - own - {"ranking"}
    }
    assert (shown["rank_by"], shown["article"], plain["benchmarks"]) == ("article", None, None)
    beside = shown["benchmarks"]
    assert (beside["date"], beside["database"]) == ("2026-11-22", "sqlite")
    assert beside["order"][:2] == ["flask", "falcon"]
    flask = next(one for one in beside["strengths"] if one["framework"] == "flask")
    assert flask == {
        "framework": "flask",
        "criterion": "speed",
        "asked": True,
        "what": "server CPU to read one item",
        "unit": "microseconds",
        "article": 1,
        "measured": {"value": 118, "times": 1.18, "place": 2, "of": 9, "strength": 3},
        "disagrees": True,
    }


def test_a_second_measured_criterion_is_a_line_of_data(known: Catalog, tmp_path: Path) -> None:
    """What the answers ask for comes first, whatever the order in the guidance."""
    assert known.measuring
    start = measured.Measure("easy", "livez", "p99_ms", "waiting for liveness")
    both = known.measuring._replace(measures={"easy": start, **known.measuring.measures})
    figured = replace(known_with(known, tmp_path), measuring=both)
    only_speed = recommend(figured, FAST)
    assert [one.criterion for one in only_speed.comparisons] == ["speed"] * 9 + ["easy"] * 9
    assert {one.criterion for one in only_speed.asked} == {"speed"}
    text = told(figured, {**FAST, "team": "new"})
    assert "\n  Falcon               +2     2 +3\n" in text
    assert "(milliseconds of waiting for liveness on SQLite)" in words(text)
    assert text.count(" article measured\n") == 2
    easy = next(
        reason
        for ranked in by_figures(figured, {"team": "new"}).advice.ranking
        for reason in ranked.reasons
        if (ranked.framework.id, reason.criterion) == ("falcon", "easy")
    )
    assert easy.why == "2 milliseconds of waiting for liveness on SQLite, 1st of 9"


# ---- ranked by it


def by_figures(
    known: Catalog, answers: Mapping[str, str], maintained: bool = False
) -> Recommendation:
    return recommend(known, answers, maintained, RankBy.BENCHMARKS)


def test_the_measurement_replaces_the_word_where_it_speaks_and_nowhere_else(
    figured: Catalog,
) -> None:
    recommendation = by_figures(figured, FAST)
    assert recommendation.measured is recommendation.advice
    for ranked in recommendation.advice.ranking:
        said = figured.framework(ranked.framework.id)
        for reason in ranked.reasons:
            if reason.criterion == "speed":
                standing = figured.standings("speed", "sqlite")[said.id]
                assert (reason.source, reason.points) == ("measured", 4 * standing.strength)
            else:
                assert reason.source != "measured"
                assert reason.why == said.evidence[reason.criterion].why
    assert order(recommendation.advice)[:3] == ["flask", "falcon", "flask_restful"]
    assert order(recommendation.article)[:2] == ["falcon", "sanic"]
    assert order(recommendation.article) == order(advise(figured, FAST))


def test_a_must_stays_a_must(figured: Catalog) -> None:
    recommendation = by_figures(figured, {"talk": "live", "size": "unsure", "load": "rate"})
    assert order(recommendation.advice)[:2] == ["sanic", "tornado"]
    assert all(ranked.unmet for ranked in recommendation.advice.ranking[2:])


def test_who_is_left_out_moves_no_strength(known: Catalog, tmp_path: Path) -> None:
    figures = {**READ_US, "nameko": 40.0}  # the fastest, and hardly maintained
    figured = known_with(known, tmp_path, invented(figures))
    every, kept = (by_figures(figured, FAST, maintained=m).advice for m in (False, True))
    assert scores(kept).items() <= scores(every).items()
    assert "nameko" not in scores(kept)


def test_figures_of_who_is_left_out_are_not_missed(known: Catalog, tmp_path: Path) -> None:
    figured = known_with(known, tmp_path, invented(without("nameko", READ_US)))
    assert order(by_figures(figured, FAST, maintained=True).advice)[0] == "flask"
    with pytest.raises(NotMeasured, match="for Nameko"):
        by_figures(figured, FAST)


def test_both_results_are_printed_each_by_its_name(tool: Checkout, tmp_path: Path) -> None:
    ran = tool.scaffold(
        "advise",
        "--load",
        "rate",
        "--talk",
        "http",
        "--size",
        "small",
        "--rank-by",
        "benchmarks",
        cwd=tmp_path,
    )
    assert (ran.code, ran.err) == (0, "")
    figures, _, word = ran.out.partition("\nRanked by the article's ratings\n")
    title = "Ranked by the benchmarks of 2026-11-22"
    assert figures.startswith(f"{title}\n\nBest match: Flask (96 %)\n")
    assert "+ low overhead per request: 118 microseconds of server CPU" in figures
    assert word.startswith("\nBest match: Falcon (81 %)\n")
    assert "\n  Flask           ███████░░░  67 %\n" in word
    assert "\n  Flask                +1   118 +3 !\n" in word
    text = " ".join(word.split())
    assert "Benchmarks cover low overhead per request; all other" in text


def test_explained_the_word_stands_below_the_figure(figured: Catalog) -> None:
    assert (
        "2nd of 9 (benchmark results, not the article) the article: moderate speed, because it "
        "relies on other libraries (+1); the two disagree"
        in words(told(figured, FAST, rank_by=RankBy.BENCHMARKS, explain=True))
    )


def test_json_has_both_results(figured: Catalog) -> None:
    answers = {"load": "rate"}
    by_word = schema.advice(recommend(figured, answers))
    by_numbers = schema.advice(by_figures(figured, answers))
    assert by_numbers["rank_by"] == "benchmarks"
    assert [one["framework"] for one in by_numbers["ranking"]] == by_numbers["benchmarks"]["order"]
    assert by_numbers["article"] == {key: by_word[key] for key in ("ranking", "split", "close")}
    assert by_numbers["ranking"] != by_word["ranking"]


def test_without_a_measured_criterion_in_the_answers_both_are_said_to_be_the_same(
    figured: Catalog,
) -> None:
    out = told(figured, {}, rank_by=RankBy.BENCHMARKS)
    assert "No benchmark affects the recommendation, so both rankings are the same." in out
    assert out.count("Best match: ") == 1


def test_a_runner_up_that_is_ahead_on_nothing_has_no_line_that_says_so(figured: Catalog) -> None:
    out = told(figured, {"talk": "live", "size": "grows"})
    assert "\nRunner-up: Sanic (36 %)\n  behind on long-lived connections" in out
    assert "nothing" not in out


def test_new_follows_it_and_says_what_the_article_would_choose(
    tool: Checkout, tmp_path: Path
) -> None:
    arguments = (
        "my-svc",
        "--load",
        "rate",
        "--talk",
        "http",
        "--size",
        "small",
        "--rank-by",
        "benchmarks",
        "--dry-run",
    )
    made = tool.new(*arguments, cwd=tmp_path)
    assert made.code == 0, made.err
    assert " ".join(made.out.split()).startswith(
        "Ranked by the benchmarks of 2026-11-22: Flask (96 %), then Falcon (81 %). "
        "Ranked by the article's ratings: Falcon (81 %), then Flask (67 %). my-svc/"
    )
    in_json = tool.new(*arguments, "--json", cwd=tmp_path).json
    assert in_json["framework"] == "flask"
    assert in_json["chosen"] == {
        "rank_by": "benchmarks",
        "benchmarks": "flask",
        "article": "falcon",
    }


def test_a_framework_that_is_named_needs_no_evidence(checkout: Checkout, tmp_path: Path) -> None:
    named = ("my-svc", "--framework", "flask", "--rank-by", "benchmarks", "--json")
    ran = checkout.new(*named, cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "chosen" not in ran.json


# ---- where figures are missing


def test_nothing_is_shown_of_what_was_not_measured(known: Catalog, tmp_path: Path) -> None:
    some = known_with(known, tmp_path, invented(without("flask", READ_US)))
    listed = text_output.frameworks(view(), some, some.frameworks)
    assert listed.startswith("flask\n")
    assert "Measured" not in listed.partition("\ndjango")[0]
    assert listed.count("Reads of one item: ") == 8
    assert "easured" not in text_output.frameworks(view(), some, [some.framework("flask")])
    assert "easured" not in text_output.framework(view(), some, some.framework("flask"), [])
    assert "\n  Flask                +1        -\n" in told(some, FAST)
    assert "Ranked by benchmarks" not in told(some, FAST)
    with pytest.raises(NotMeasured, match=r"has none on SQLite for Flask\. Leave it out"):
        by_figures(some, FAST)


def test_without_the_file_all_is_as_if_nobody_measured(known: Catalog) -> None:
    plain = replace(known, measurement=None)
    shown = (
        text_output.frameworks(view(), plain, plain.frameworks),
        text_output.framework(view(), plain, plain.framework("flask"), []),
        *(told(plain, answers, explain=e) for answers in ({}, FAST, TIED) for e in (True, False)),
    )
    assert [text for text in shown if "easure" in text] == []
    assert schema.framework(plain, plain.framework("flask"))["measured"] is None
    with pytest.raises(NotMeasured, match=r"these templates have no measured\.json\. Leave it out"):
        by_figures(plain, {})


def test_a_database_that_was_not_measured_is_named(known: Catalog, tmp_path: Path) -> None:
    content = invented()
    for one in content["frameworks"].values():
        del one["databases"]["postgresql"]
    figured = known_with(known, tmp_path, content)
    answers = {**FAST, "database": "postgresql"}
    assert recommend(figured, answers).comparisons == ()
    with pytest.raises(NotMeasured, match=r"of 2026-11-22 has none on PostgreSQL\. Leave it out"):
        by_figures(figured, answers)
    assert by_figures(figured, FAST).measured


def test_one_figure_alone_is_compared_with_nothing(known: Catalog, tmp_path: Path) -> None:
    figured = known_with(known, tmp_path, invented({"flask": 100}))
    assert figured.standings("speed", "sqlite") == {}
    assert recommend(figured, FAST).comparisons == ()


def test_guidance_that_names_no_criterion_gets_figures_in_no_ranking(figured: Catalog) -> None:
    silent = replace(figured, measuring=None)
    assert recommend(silent, FAST).comparisons == ()
    assert order(advise(silent, TIED)) == order(advise(replace(figured, measurement=None), TIED))
    with pytest.raises(NotMeasured, match="has no criterion"):
        by_figures(silent, FAST)


def test_the_guidance_says_only_what_can_be_compared(known: Catalog) -> None:
    guidance = {
        "criteria": known.criteria,
        "sources": known.sources,
        "measured": {
            "question": "database",
            "tie": "speed",
            "disagree": 2,
            "bands": [{"times": 2, "strength": 3}],
            "criteria": {"speed": {"request": "read", "figure": "cpu_us", "what": "CPU"}},
        },
    }
    assert measured.rule_of(without("measured", guidance)) is None
    assert measured.rule_of(guidance)
    table: Any = guidance["measured"]
    speed = table["criteria"]["speed"]
    for wrong, named in (
        (table | {"tie": "small"}, "small"),
        (table | {"criteria": {"speed": speed, "spead": speed}}, "spead"),
        (table | {"criteria": {"speed": speed | {"figure": "rps"}}}, "rps"),
    ):
        with pytest.raises(ValueError, match=named):
            measured.rule_of(guidance | {"measured": wrong})
    with pytest.raises(ValueError, match="measured"):
        measured.rule_of(guidance | {"sources": {}})


# ---- list and show


def test_the_list_has_the_figures_with_their_date(figured: Catalog) -> None:
    text = words(text_output.frameworks(view(), figured, figured.frameworks))
    assert (
        "Reads of one item: 10,000/s on SQLite (100 µs of CPU, 89 % of baseline), "
        "5,000/s on PostgreSQL (200 µs of CPU, 89 % of baseline); 61 MB of memory, starts in 0.8 s"
        in text
    )
    assert text.count("Reads of one item: ") == 9
    assert "2026-11-22 on one core of Invented CPU, Python 3.12.1, 16 connections" in text
    assert ", 3 rounds of 3 s." in text


def test_show_has_every_figure_and_how_it_came_about(figured: Catalog) -> None:
    wide, narrow = (
        text_output.framework(view(columns), figured, figured.framework("tornado"), [])
        for columns in (80, 40)
    )
    assert "Benchmark results of 2026-11-22\n  SQLite      requests/s  CPU µs  p50 ms" in wide
    assert "\n  one item         3,226     310    5.17    15.5         89 %\n" in wide
    assert "With framework 1.2.3, granian 2.8.1. Measured on 2026-11-22" in words(wide)
    assert "one item: requests/s 3,226, CPU µs 310, p50 ms 5.17" in words(narrow)


def test_figures_are_ascii_where_nothing_else_can_be_shown(figured: Catalog) -> None:
    plain = view(drawing=False)
    listed = text_output.frameworks(plain, figured, figured.frameworks)
    shown = text_output.framework(plain, figured, figured.framework("tornado"), [])
    assert (listed + shown).isascii()
    assert "(100 us of CPU" in words(listed)


@pytest.mark.parametrize("columns", range(40, 100))
def test_a_figure_stands_on_one_line_with_its_unit(figured: Catalog, columns: int) -> None:
    shown = text_output.frameworks(view(columns), figured, figured.frameworks)
    shown += told(figured, {}, columns=columns)
    assert not re.findall(r"\d\n *(?:%|s|ms|µs|MB)(?!\w)|place\n", shown)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_figures_fit_the_terminal(figured: Catalog, columns: int) -> None:
    tornado = text_output.framework(view(columns), figured, figured.framework("tornado"), [])
    shown = (
        text_output.frameworks(view(columns), figured, figured.frameworks),
        tornado.partition("Benchmark results of")[2].partition("Known limitations")[0],
        told(figured, FAST, columns=columns),
        told(figured, {}, columns=columns),
    )
    assert all(shown)
    assert [line for text in shown for line in text.splitlines() if len(line) >= columns] == []


def test_figures_are_json_with_when_and_on_what(tool: Checkout, tmp_path: Path) -> None:
    file = invented()
    listed = tool.scaffold("list", "--json", cwd=tmp_path).json["frameworks"]
    for one in listed:
        assert one["measured"] == {
            **file["frameworks"][one["framework"]],
            **{key: value for key, value in file.items() if key != "frameworks"},
        }


# ---- at a terminal


def test_where_there_is_little_room_only_what_is_recommended_is_told(figured: Catalog) -> None:
    def shown(answers: Mapping[str, str]) -> str:
        return words(text_output.recommendation(view(), figured, recommend(figured, answers)))

    fast = shown(FAST)
    assert "Falcon 100 (1st of 9), Sanic 160 (4th of 9)." in fast
    assert " Flask: the two disagree." in fast  # which the measurement would put first
    assert "Tornado" not in fast
    assert "Tied" not in shown({"talk": "messages", "size": "unsure"})
    tied = shown({"size": "unsure"})
    assert "Tied on score, so ordered by benchmarks: Falcon, Flask," in tied
    assert "FastAPI" not in tied


def test_the_wizard_shows_the_figures_beside_its_advice(tool: Checkout, tmp_path: Path) -> None:
    given = ("--talk", "http", "--size", "unsure", "--data", "no", "--contract", "plain")
    quiet = ("new", "my-svc", "--no-lock", "--no-git", *given, "--team", "any")
    for columns in (80, 40):
        with Terminal(tool, tmp_path, *quiet, columns=columns) as terminal:
            terminal.answer("What kind of load do you expect?", "2")
            terminal.wait_for("on SQLite: Falcon 100 (1st of 9), Sanic 160 (4th of 9).")
            terminal.wait_for("Ranked by benchmarks: Flask (94 %), then Falcon (89 %)")
            terminal.wait_for("! Flask: the two disagree. Article: moderate speed")
            terminal.wait_for("Reads of one item: 8,475/s on SQLite, 4,237/s on PostgreSQL")
            terminal.send(CTRL_C)
            assert terminal.end() == 130


def test_the_wizard_ranks_by_them_where_that_is_asked(tool: Checkout, tmp_path: Path) -> None:
    given = ("--talk", "http", "--size", "unsure", "--data", "no", "--contract", "plain")
    quiet = ("new", "my-svc", "--no-lock", "--no-git", *given, "--team", "any")
    with Terminal(tool, tmp_path, *quiet, "--rank-by", "benchmarks") as terminal:
        terminal.answer("What kind of load do you expect?", "2")
        terminal.wait_for("Best match: Flask (94 %)")
        terminal.wait_for("Ranked by the article's ratings: Falcon (89 %), then Sanic (67 %).")
        terminal.send(CTRL_C)
        assert terminal.end() == 130


def test_a_database_is_no_answer_about_the_workload(tool: Checkout, tmp_path: Path) -> None:
    with Terminal(tool, tmp_path, "advise", "--database", "postgresql") as terminal:
        terminal.wait_for("? How do clients talk to it? (1 of 6)")
        for _ in range(6):
            terminal.send(ENTER)
        terminal.wait_for("read one item on PostgreSQL: Flask 236 (2nd of 9)")
        assert terminal.end() == 0


def test_a_shell_is_told_the_two_kinds(tool: Checkout, tmp_path: Path) -> None:
    asked = {"_SCAFFOLD_COMPLETE": "complete_bash", "COMP_CWORD": "3"}
    ran = tool.scaffold(cwd=tmp_path, COMP_WORDS="scaffold advise --rank-by b", **asked)
    assert (ran.code, ran.out.split()) == (0, ["benchmarks"])


# ---- the file


READ = ("frameworks", "flask", "databases", "sqlite", "read")
BROKEN: list[tuple[tuple[str, ...], Any, str]] = [
    (("date",), "yesterday", 'date has to be a date like 2026-11-22, and is "yesterday".'),
    (("date",), 20261122, "date has to be text, and is 20261122."),
    (("python",), "", 'python has to be text, and is "".'),
    (("machine",), [], "machine has to be an object, and is a list."),
    (("machine", "cpu"), None, "machine.cpu has to be text, and is None."),
    (("rounds",), 2.5, "rounds has to be a whole number, and is 2.5."),
    (("connections",), 0, "connections has to be a number above 0, and is 0."),
    (("tools",), {"wrk": 4}, "tools.wrk has to be text, and is 4."),
    (("frameworks",), "all", 'frameworks has to be an object, and is "all".'),
    ((*READ[:2], "memory_mb"), -1, "frameworks.flask.memory_mb has to be a number above 0"),
    ((*READ, "cpu_us"), "fast", '.sqlite.read.cpu_us has to be a number, and is "fast".'),
    ((*READ, "cpu_us"), True, ".sqlite.read.cpu_us has to be a number, and is True."),
    ((*READ, "rps"), float("nan"), ".sqlite.read.rps has to be a number above 0, and is nan."),
    ((*READ, "p99_ms"), float("inf"), ".sqlite.read.p99_ms has to be a number above 0"),
    ((*READ, "kept"), 10**400, ".sqlite.read.kept has to be a number above 0, and is 1000"),
    ((*READ, "bare", "rps"), [], ".sqlite.read.bare.rps has to be a number, and is a list."),
]


@pytest.mark.parametrize(("way", "value", "words"), BROKEN, ids=lambda value: str(value)[:30])
def test_what_breaks_a_rule_is_named_by_its_key(
    tmp_path: Path, way: tuple[str, ...], value: Any, words: str
) -> None:
    content = changed(way, value)
    write(tmp_path, content)
    with pytest.raises(SourceError) as told:
        measured.read(tmp_path / measured.FILE)
    assert str(told.value).startswith("measured.json: ")
    assert words in str(told.value)
    assert len(str(told.value)) < 160


def changed(way: tuple[str, ...], value: Any) -> dict[str, Any]:
    content = invented()
    inner: Any = content
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = value
    return content


def test_whatever_is_missing_is_named(tmp_path: Path) -> None:
    def keys(part: Any, way: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        named = part.items() if isinstance(part, dict) else ()
        return [found for key, value in named for found in ((*way, key), *keys(value, (*way, key)))]

    for way in keys(invented({"flask": 100})):
        inner: Any = (content := invented({"flask": 100}))
        for key in way[:-1]:
            inner = inner[key]
        del inner[way[-1]]
        write(tmp_path, content)
        if may_be_absent(way):
            assert measured.read(tmp_path / measured.FILE), way
            continue
        with pytest.raises(SourceError) as told:
            measured.read(tmp_path / measured.FILE)
        assert str(told.value) == f"measured.json: {'.'.join(way)} is missing."


def may_be_absent(way: tuple[str, ...]) -> bool:
    """A framework, a database, a request, a version or a tool: the others say as much without."""
    part, depth = (*way, "", "")[2], len(way)
    if way[0] == "frameworks":
        return depth == 2 or (part, depth) in {("databases", 4), ("databases", 5), ("versions", 4)}
    return way[0] == "tools" and depth == 2


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '"x"', "\ufeff{}", "[" * 200_000, '{"date": "2026-11-22"'],
    ids=lambda text: str(text)[:10],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: str) -> None:
    write(tmp_path, content)
    with pytest.raises(SourceError, match=r"^measured.json"):
        measured.read(tmp_path / measured.FILE)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / measured.FILE).write_bytes(b'{"date": "\xff"}')
    with pytest.raises(SourceError, match=r"^measured.json cannot be read"):
        measured.read(tmp_path / measured.FILE)


def test_keys_of_a_later_format_are_passed_over(known: Catalog, tmp_path: Path) -> None:
    content = invented() | {"growth": {"items": [100, 1000]}}
    content["frameworks"]["quart"] = content["frameworks"]["flask"] | {"later": True}
    figured = known_with(known, tmp_path, content)
    assert recommend(figured, FAST) == recommend(known_with(known, tmp_path), FAST)


def test_a_file_that_cannot_be_used_is_told_in_one_sentence(tool: Checkout, tmp_path: Path) -> None:
    file = tool.root / measured.FILE
    text = file.read_text()
    try:
        write(tool.root, changed((*READ, "cpu_us"), "fast"))
        ran = tool.scaffold("list", cwd=tmp_path)
    finally:
        file.write_text(text)
    key = "measured.json: frameworks.flask.databases.sqlite.read.cpu_us"
    said = f'scaffold: {key} has to be a number, and is "fast".\n'
    assert (ran.code, ran.out, ran.err) == (3, "", said)


def test_the_figures_of_this_repository_are_of_all_and_on_both_databases() -> None:
    """Where there are any: a fork may remove them."""
    known = catalog.load(REPOSITORY)
    assert (known.measurement is not None) == (REPOSITORY / measured.FILE).exists()
    for framework in known.frameworks if known.measurement else ():
        served = known.served(framework)
        assert served, framework.id
        for database in ("sqlite", "postgresql"):
            requests = set(served.databases[database])
            assert requests >= {"livez", "read", "list", "create"}, framework.id


def test_the_figures_are_read_as_they_are_written(tmp_path: Path) -> None:
    write(tmp_path)
    found = measured.read(tmp_path / measured.FILE)
    assert found
    file = json.loads((tmp_path / measured.FILE).read_text())
    figures = found.frameworks["flask"].figures("postgresql", "list")
    assert figures
    written = file["frameworks"]["flask"]["databases"]["postgresql"]["list"]
    assert (figures.cpu_us, figures.rps, figures.p99_ms) == (
        written["cpu_us"],
        written["rps"],
        written["p99_ms"],
    )
    assert (figures.kept, figures.bare.rps) == (written["kept"], written["bare"]["rps"])
