"""The guidance's own cases, and what the ranking promises beside them."""

from __future__ import annotations

import itertools
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scaffold.advice.ranking import advise, ahead
from scaffold.catalog.catalog import Catalog
from scaffold.errors import NothingMaintained

CASES = tomllib.loads((Path(__file__).parent / "data/guidance_cases.toml").read_text())["case"]
WINS = [case for case in CASES if "winner" in case]
SPLITS = [case for case in CASES if "split" in case]


def name(case: dict[str, Any]) -> str:
    return str(case["name"])


def test_no_case_of_the_guidance_is_left_out() -> None:
    assert len(WINS) == 13
    assert len(SPLITS) == 2


@pytest.mark.parametrize("case", WINS, ids=name)
def test_the_guidance_and_the_ranking_agree(known: Catalog, case: dict[str, Any]) -> None:
    advice = advise(known, case["answers"])
    first, second = (ranked.framework.id for ranked in advice.ranking[:2])
    assert first == case["winner"]
    assert second == case.get("runner_up", second)
    assert not advice.split


@pytest.mark.parametrize("case", SPLITS, ids=name)
def test_a_workload_that_none_can_meet_is_two_services(
    known: Catalog, case: dict[str, Any]
) -> None:
    advice = advise(known, case["answers"])
    assert [framework.id for framework in advice.split] == case["split"]


def test_every_set_of_answers_ranks_all_and_never_recommends_what_misses_a_must(
    known: Catalog,
) -> None:
    ids = sorted(framework.id for framework in known.frameworks)
    for chosen in itertools.product(*(question.choices for question in known.workload)):
        answers = dict(zip((q.id for q in known.workload), chosen, strict=True))
        advice = advise(known, answers)
        assert sorted(ranked.framework.id for ranked in advice.ranking) == ids
        assert bool(advice.ranking[0].unmet) == bool(advice.split)
        for framework in advice.split:
            assert any(framework.strength(must) >= known.must_strength for must in advice.musts)


def test_the_score_is_the_sum_of_the_reasons_and_fit_its_share_of_the_most(
    known: Catalog,
) -> None:
    # rest 1, small 2, easy 1: the most is 3 * 4
    flask = advise(known, {}).ranking[0]
    assert {reason.criterion: reason.points for reason in flask.reasons} == {
        "small": 6,
        "easy": 3,
        "rest": 2,
    }
    assert flask.score == 11
    assert flask.fit == pytest.approx(11 / 12, abs=1e-4)
    assert [reason.points for reason in flask.reasons] == [6, 3, 2]


def test_only_what_was_said_is_weighed(known: Catalog) -> None:
    advice = advise(known, {"team": "async"})
    assert advice.answers == {"team": "async"}
    asked = {reason.criterion for ranked in advice.ranking for reason in ranked.reasons}
    assert asked == {"concurrent"}
    assert {ranked.framework.id for ranked in advice.ranking[:2]} == {"sanic", "tornado"}


@pytest.mark.parametrize("answers", [{}, {"team": "any"}, {"data": "no", "load": "nothing"}])
def test_where_the_answers_ask_for_nothing_the_defaults_count(
    known: Catalog, answers: dict[str, str]
) -> None:
    assert (
        advise(known, answers).ranking == advise(known, {"talk": "http", "size": "small"}).ranking
    )


@pytest.mark.parametrize("framework_id", ["django", "fastapi", "flask"])
def test_what_a_team_knows_speaks_for_its_framework(known: Catalog, framework_id: str) -> None:
    first = advise(known, {"team": framework_id, "talk": "http"}).ranking[:2]
    assert framework_id in {ranked.framework.id for ranked in first}


def test_a_framework_that_misses_a_must_says_what_it_has_of_it(known: Catalog) -> None:
    ranked = {one.framework.id: one for one in advise(known, {"talk": "live"}).ranking}
    unnamed = "the article does not recommend it for long-lived connections"
    assert ranked["fastapi"].cautions == (f"supports WebSockets, but {unnamed}",)
    assert ranked["falcon"].cautions == (unnamed,)


def test_a_limit_counts_against_a_framework(known: Catalog) -> None:
    flask = next(r for r in advise(known, {"load": "waiting"}).ranking if r.framework.id == "flask")
    assert ("scale", -1) in {(reason.criterion, reason.points) for reason in flask.reasons}


def test_two_that_fit_almost_alike_are_called_close(known: Catalog) -> None:
    near = advise(known, {"size": "unsure", "load": "waiting", "team": "async"})
    assert near.close
    assert near.ranking[0].fit - near.ranking[1].fit < 0.05
    assert not advise(known, {}).close


def test_a_runner_up_that_misses_a_must_is_never_close(known: Catalog) -> None:
    advice = advise(known, {"talk": "messages", "size": "grows", "load": "waiting"})
    assert advice.ranking[0].fit - advice.ranking[1].fit < 0.05
    assert advice.ranking[1].unmet == ("rpc",)
    assert not advice.close


def test_a_tie_goes_by_criteria_met_then_the_newer_release_then_the_article(
    known: Catalog,
) -> None:
    known = replace(known, measurement=None)  # test_evidence.py has those that figures settle
    none_asked = {"talk": "messages", "size": "unsure"}
    tied = [r for r in advise(known, none_asked).ranking if r.score == 2]
    releases = [ranked.framework.facts.released for ranked in tied]
    assert len(tied) > 2
    assert releases == sorted(releases, reverse=True)

    same_day = known.frameworks[0].facts.released
    alike = tuple(f._replace(facts=f.facts._replace(released=same_day)) for f in known.frameworks)
    places = [
        ranked.framework.place
        for ranked in advise(replace(known, frameworks=alike), none_asked).ranking
        if ranked.score == 2
    ]
    assert places == sorted(places)

    met_two = advise(known, {"talk": "messages", "data": "yes", "size": "small"}).ranking[:2]
    assert [ranked.score for ranked in met_two] == [15, 15]
    assert [ranked.framework.id for ranked in met_two] == ["django", "nameko"]


def test_what_is_ahead_of_another_is_named_with_its_points(known: Catalog) -> None:
    advice = advise(known, {"talk": "http", "load": "rate", "size": "unsure"})
    falcon, sanic = known.framework("falcon"), known.framework("sanic")
    assert [(d.criterion, d.points) for d in ahead(known, advice, falcon, sanic)] == [
        ("rest", 2),
        ("small", 2),
    ]
    assert ahead(known, advice, sanic, falcon) == []


def test_facts_never_move_a_score(known: Catalog) -> None:
    stale = tuple(
        f._replace(facts=f.facts._replace(status="stale", caution="old")) for f in known.frameworks
    )
    for case in WINS:
        before = advise(known, case["answers"]).ranking
        after = advise(replace(known, frameworks=stale), case["answers"]).ranking
        assert [(r.framework.id, r.score) for r in before] == [
            (r.framework.id, r.score) for r in after
        ]


def test_maintained_leaves_out_what_is_hardly_kept(known: Catalog) -> None:
    advice = advise(known, {"contract": "resources", "team": "flask"}, maintained=True)
    ids = {ranked.framework.id for ranked in advice.ranking}
    assert ids == {f.id for f in known.frameworks} - {"flask_restful", "nameko"}
    assert advice.ranking[0].framework.id == "flask"


def test_maintained_says_so_where_nothing_is_left(known: Catalog) -> None:
    with pytest.raises(NothingMaintained) as told:
        advise(known, {"talk": "messages"}, maintained=True)
    message = str(told.value)
    assert message.startswith("No maintained framework here is designed for RPC and events")
    assert "Nameko" in message
    assert "FastStream" in message


@pytest.mark.parametrize("framework_id", ["flask_restful", "nameko"])
def test_what_is_hardly_kept_comes_with_a_caution_and_an_alternative(
    known: Catalog, framework_id: str
) -> None:
    ranked = next(r for r in advise(known, {}).ranking if r.framework.id == framework_id)
    alternative = ranked.framework.facts.alternative
    assert alternative is not None
    assert any(
        str(ranked.framework.facts.released) in caution and alternative.name in caution
        for caution in ranked.cautions
    )
