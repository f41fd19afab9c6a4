"""The benchmarks' own arithmetic: what they take from a run, and how they tell it. None is run."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import subprocess
import sys
from collections.abc import Iterator, Mapping
from subprocess import PIPE
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.growth.parts import with_values
from benchmarks.growth.readers import PING, TEXT, Frame, frames, pong
from benchmarks.serving import __main__ as command
from benchmarks.serving import figures, items, processes, profile
from benchmarks.serving.figures import Sample, ServiceSamples
from benchmarks.serving.load import Refused, counted
from docs import raw, speed
from tests.servers import wait_until
from tests.services import frameworks

OUTPUT = """Running 1s test @ http://127.0.0.1:8000
  1 threads and 16 connections
  2000 requests in 1.00s, 0.42MB read
Requests/sec:   2000.00
counted {"requests": 2000, "microseconds": 1000000, "p50": 7800.0, "p99": 12100.0, "connect": 0,\
 "read": 0, "write": 0, "status": 0, "timeout": 0}
"""
SIZES = ("100", "1000000")


def sample(rps: float, cpu_us: float = 100) -> Sample:
    return Sample(cpu_us=cpu_us, rps=rps, p50_ms=1.23456, p99_ms=9.87654)


def test_what_wrk_has_counted_is_read() -> None:
    seen = counted(OUTPUT)
    assert (seen.requests, seen.rps, seen.p50_ms, seen.p99_ms) == (2000, 2000.0, 7.8, 12.1)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("status", "3 answers not 2xx"),
        ("timeout", "3 answers too late"),
        ("connect", "3 connections refused"),
        ("read", "3 answers cut off"),
        ("write", "3 requests cut off"),
    ],
)
def test_a_run_with_an_error_is_refused(kind: str, said: str) -> None:
    with pytest.raises(Refused, match=f"of 2000 requests: {said}"):
        counted(OUTPUT.replace(f'"{kind}": 0', f'"{kind}": 3'))


def test_a_run_in_which_nothing_was_answered_is_refused() -> None:
    with pytest.raises(Refused, match="no request was answered"):
        counted(OUTPUT.replace('"requests": 2000', '"requests": 0'))


def test_a_wrk_that_has_broken_off_is_refused_with_its_words() -> None:
    with pytest.raises(Refused, match="unable to connect"):
        counted("unable to connect to 127.0.0.1:1 Connection refused\n")


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(0, 0), (0.9144, 0.914), (9.996, 10.0), (1234.5, 1230), (98765, 98800), (0.00123456, 0.00123)],
)
def test_figures_have_three_digits(value: float, rounded: float) -> None:
    assert figures.significant(value) == rounded


def test_what_is_kept_is_the_median_of_the_rounds_and_not_of_the_sides() -> None:
    """A machine that slows down between the rounds slows both."""
    rounds = [(sample(90), sample(100)), (sample(40), sample(50)), (sample(95), sample(100))]
    assert figures.kept(rounds) == 0.9
    assert figures.medians([one for one, _ in rounds])["rps"] == 90


def measured(kept: float = 0.9) -> dict[str, Any]:
    """A whole record, in which each framework is a little slower than the one before."""
    record: dict[str, Any] = {
        "date": "2026-11-22",
        "machine": {"cpu": "A < B", "cores": 2, "memory_gb": 8, "kernel": "6.1"},
        "python": "3.12.1",
        "tools": {"wrk": "4.1.0", "postgresql": "15.18"},
        "seconds": 3,
        "rounds": 3,
        "connections": 16,
        "frameworks": {},
    }
    for place, framework in enumerate(frameworks()):
        rps = 5000 - 100 * place
        rounds = {r: [(sample(rps * kept), sample(rps))] * 3 for r in figures.REQUESTS}
        of = dict.fromkeys(figures.DATABASES, ServiceSamples(rounds, 81.234, 0.5123))
        record["frameworks"][framework] = figures.of_framework(of, {framework: "1.0"})
    return record


def test_a_record_has_each_figure_of_both_sides() -> None:
    of = measured()["frameworks"]["flask"]
    assert of["memory_mb"] == 81.2
    assert of["versions"] == {"flask": "1.0"}
    read = of["databases"]["postgresql"]["read"]
    assert set(read) == {"cpu_us", "rps", "p50_ms", "p99_ms", "kept", "bare"}
    assert set(read["bare"]) == {"cpu_us", "rps", "p50_ms", "p99_ms"}
    assert (read["p50_ms"], read["kept"]) == (1.23, 0.9)


def said_of(record: Mapping[str, Any]) -> dict[str, bool]:
    return {goal.wanted: goal.met for goal in speed.goals(record)}


def test_goals_are_met_and_missed_by_the_figures() -> None:
    reads = next(wanted for wanted in said_of(measured()) if "{id}` keeps" in wanted)
    assert said_of(measured(kept=0.85))[reads]
    assert not said_of(measured(kept=0.84))[reads]


def test_a_goal_that_one_service_misses_is_missed_and_names_it() -> None:
    record = measured()
    record["frameworks"]["tornado"]["databases"]["sqlite"]["create"]["kept"] = 0.7
    missed = [str(goal) for goal in speed.goals(record) if not goal.met and "POST" in goal.wanted]
    assert missed == [f"**missed**: {speed.REQUESTS['create']} keeps at least 80% of the "
                      "baseline's throughput: Tornado on SQLite 70.0%"]  # fmt: skip


def test_falcon_has_to_be_twice_as_fast_as_fastapi_on_each_database() -> None:
    record = measured()
    of = record["frameworks"]
    of["falcon"]["databases"]["sqlite"]["read"]["rps"] = 4000
    of["fastapi"]["databases"]["sqlite"]["read"]["rps"] = 2000
    of["fastapi"]["databases"]["postgresql"]["read"]["rps"] = 4000
    found = {wanted: met for wanted, met in said_of(record).items() if "Falcon" in wanted}
    assert [met for _, met in sorted(found.items())] == [False, True]


def test_the_tables_have_every_figure_the_fastest_service_first() -> None:
    lines = list(speed.serving_tables(measured()))
    titles = [line for line in lines if line.startswith("### ")]
    assert len(titles) == len(figures.REQUESTS) * len(figures.DATABASES)
    first = lines.index(titles[0])
    rows = lines[first + 4 : first + 4 + len(frameworks())]
    rates = [int(line.split("|")[2].replace(",", "")) for line in rows]
    assert rates == sorted(rates, reverse=True)
    assert len(rates) == len(frameworks())


def test_a_part_of_a_run_has_tables_of_that_part() -> None:
    record = measured()
    record["frameworks"] = {"flask": record["frameworks"]["flask"]}
    del record["frameworks"]["flask"]["databases"]["sqlite"]
    lines = "\n".join(speed.serving_tables(record))
    assert "on PostgreSQL" in lines
    assert "SQLite" not in lines
    assert "Falcon" not in lines


def test_the_picture_has_a_bar_of_each_side_for_each_service() -> None:
    picture = ElementTree.fromstring(speed.picture(measured()))
    svg = "{http://www.w3.org/2000/svg}"
    for kind in ("own", "bare"):
        bars = [one for one in picture.iter(f"{svg}rect") if one.get("class") == kind]
        assert len(bars) == 1 + 4 * len(frameworks())  # one in the legend, the rest in four panels
    groups = picture.iter(f"{svg}g")
    widths = [float(rect.get("width", "0")) for g in groups for rect in g.iter(f"{svg}rect")]
    assert max(widths) <= speed.PANEL - speed.LABEL


def test_the_items_are_the_same_each_time() -> None:
    assert list(items.rows(20)) == list(items.rows(20))
    assert items.some_ids(2500, most=100)[1] == str(list(items.rows(2500))[25][0])
    assert len(items.some_ids(100)) == 100


@pytest.mark.parametrize(
    "words", [["--write", "--framework", "flask"], ["--write", "--database", "sqlite"]]
)
def test_a_part_of_a_run_is_never_written_into_the_record(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="takes a whole run"):
        command.main(words)


def test_a_record_is_whole_with_every_framework_database_and_request() -> None:
    assert figures.is_whole(measured(), frameworks())
    for lacking in ("framework", "database", "request"):
        record = measured()
        of = record["frameworks"]
        match lacking:
            case "framework":
                del of["flask"]
            case "database":
                del of["flask"]["databases"]["sqlite"]
            case "request":
                del of["flask"]["databases"]["sqlite"]["list"]
        assert not figures.is_whole(record, frameworks()), lacking


def test_a_run_is_continued_only_in_the_way_it_was_begun() -> None:
    now = {name: value for name, value in measured().items() if name != "frameworks"}
    assert set(command.continued(measured(), now)) == set(frameworks())
    with pytest.raises(Refused, match="another seconds, another date"):
        command.continued(measured(), {"seconds": 9, "date": "2026-11-23", "rounds": 3})


def test_a_framework_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"no_such: there are .*flask"):
        command.listed(frameworks())("flask,no_such")


def test_a_query_is_explained_with_the_values_of_the_last_page() -> None:
    asked = "SELECT * FROM items WHERE position > $1::BIGINT ORDER BY position LIMIT $2::INTEGER"
    assert with_values(asked, 950) == (
        "SELECT * FROM items WHERE position > 950 ORDER BY position LIMIT 51"
    )


def framed(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([0x80 | opcode, size]) + payload
    if size < 65_536:
        return bytes([0x80 | opcode, 126]) + size.to_bytes(2, "big") + payload
    return bytes([0x80 | opcode, 127]) + size.to_bytes(8, "big") + payload


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_are_whole_however_they_come_in(size: int) -> None:
    sent = framed(TEXT, b"x" * size) + framed(PING, b"now")
    buffer, taken = bytearray(), []
    for start in range(0, len(sent), 1000):
        buffer += sent[start : start + 1000]
        taken += frames(buffer)
    assert taken == [Frame(TEXT, b"x" * size), Frame(PING, b"now")]
    assert not buffer


def test_a_ping_is_answered_with_what_it_said_masked() -> None:
    answer = pong(b"now")
    assert answer[:2] == bytes([0x8A, 0x83])
    mask, payload = answer[2:6], answer[6:]
    assert bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) == b"now"


def grown() -> dict[str, Any]:
    """What a run of the growth has found, each part of it once."""
    figure = {"cpu_us": 100.0, "rps": 5000.0, "p50_ms": 3.0, "p99_ms": 9.0}
    plan = ["SEARCH items USING INTEGER PRIMARY KEY (rowid>?)"]
    lists = {
        kind: {"sizes": {n: {"first": figure, "deep": figure} for n in SIZES}, "plan": plan}
        for kind in figures.DATABASES
    }
    reader = {"memory_kb": 21.5, "p50_ms": 90.0, "p99_ms": 200.0, "max_ms": 210.0}
    return {
        "connections": 16,
        "machine": {"cores": 2},
        "items": {"falcon": {"query": "SELECT", **lists}},
        "crowds": {"falcon": {"1": figure, "1000": {"refused": "of 9 requests: 3 too late"}}},
        "replicas": {"falcon": {"4": figure}},
        "workers": {"falcon": {"2": {**figure, "memory_mb": 160.0}}},
        "stream": {"sanic": {"sqlite": {"10000": reader}}},
    }


def test_each_part_of_the_growth_has_its_table_and_what_was_refused_is_told() -> None:
    lines = list(speed.growth_tables(grown()))
    assert [line for line in lines if line.startswith("### ")] == [
        "### Items",
        "### Connections: `GET /v1/items/{id}` on PostgreSQL",
        "### Replicas: `GET /v1/items/{id}` on PostgreSQL",
        "### Workers: `GET /v1/items/{id}` on PostgreSQL",
        "### Readers of the stream",
    ]
    for row in (
        "| Falcon | PostgreSQL | 1,000,000 | 100 | 3 | 100 | 3 |",
        "| Falcon | 1,000 | of 9 requests: 3 too late | | | |",
        "| Falcon | 4 | 5,000 | 100 | 3 | 9 |",
        "| Falcon | 2 | 5,000 | 100 | 3 | 9 | 160 |",
        "| Sanic | SQLite | 10,000 | 21.5 | 90 | 200 | 210 |",
    ):
        assert row in lines
    assert all(one or other for one, other in itertools.pairwise(lines))  # no two blank lines


def test_a_list_that_grows_dearer_is_not_flat() -> None:
    of = grown()
    deep = of["items"]["falcon"]["sqlite"]["sizes"]["1000000"]["deep"]
    of["items"]["falcon"]["sqlite"]["sizes"]["1000000"]["deep"] = {**deep, "cpu_us": 126.0}
    said = "\n".join(speed.growth_tables(of))
    assert "**missed**: the last page of 1,000,000 items takes Falcon on SQLite" in said
    assert "- met: the last page of 1,000,000 items takes Falcon on PostgreSQL" in said


SERVED = "process 7:my-svc;_runner (granian/wsgi.py:57);Edge.__call__ (my_svc/runtime/wsgi.py:51)"


@pytest.mark.parametrize(
    ("inside", "part"),
    [
        ("", "outer layer"),
        (";path_of (my_svc/runtime/wsgi.py:92);str.encode (codecs.py:3)", "outer layer"),
        (";begin (my_svc/runtime/telemetry.py:60);inc (prometheus_client/x.py:4)", "ids, metrics"),
        (";finish (my_svc/runtime/telemetry.py:80);meth (structlog/_native.py:1)", "log"),
        (";Flask.wsgi_app (flask/app.py:1511)", "framework"),
        (";send (send:12)", "framework"),
        (";ItemStore.get (my_svc/items/store.py:9);UUID.__str__ (uuid.py:2)", "items"),
        (";Database.reading (my_svc/runtime/database.py:54)", "deadline, bound"),
        (";Database.migrate (my_svc/runtime/database.py:90)", "database"),
        (";ItemStore.get (my_svc/items/store.py:9);execute (sqlalchemy/x.py:1)", "database"),
        (";_engine.<locals>.wait_no_longer (my_svc/runtime/database.py:7)", "deadline, bound"),
        (";SessionMiddleware.process_request (django/contrib/sessions/x.py:1)", "outer layer"),
        (";read (benchmarks/bare/item.py:90)", "items"),
        (";get_item (benchmarks/bare/flask.py:30)", "framework"),
        (";represented (driver.py:85);UUID.__str__ (uuid.py:282)", "items"),
        (";read (driver.py:41);_rows (driver.py:118)", "database"),
        (";read (asynchronous.py:30);fetchrow (asyncpg/pool.py:5)", "database"),
        (
            ";Store.get (my_svc/runtime/store.py:88);_from_text (my_svc/runtime/tables.py:60)",
            "database",
        ),
        (";answer (my_svc/runtime/service.py:94);show (my_svc/runtime/resource.py:215)", "items"),
    ],
)
def test_a_look_belongs_to_the_innermost_part_that_is_known(inside: str, part: str) -> None:
    assert profile.part_of((SERVED + inside).split(";")) == part


def test_what_python_does_not_take_is_the_servers() -> None:
    stacks = [f"{SERVED} 30", f"{SERVED};Flask.wsgi_app (flask/app.py:1) 10"]
    parts = profile.divided(100.0, stacks, us_a_look=2.0)
    assert parts == {"outer layer": 60.0, "framework": 20.0, "server": 20.0}


def test_no_more_is_divided_than_a_request_has_cost() -> None:
    parts = profile.divided(100.0, [f"{SERVED} 30", "main (my_svc/app.py:1) 10"], us_a_look=5.0)
    assert parts == {"outer layer": 75.0, "framework": 25.0, "server": 0.0}


def test_a_service_that_python_never_ran_for_is_all_server() -> None:
    assert profile.divided(100.0, [], us_a_look=5.0) == {"server": 100.0}


def test_looks_at_a_stack_that_is_just_changing_count_as_the_others() -> None:
    said = "py-spy> Wrote raw flamegraph data to 'stacks'. Samples: 30 Errors: 10"
    stacks = [f"{SERVED} 20", f"{SERVED};Flask.wsgi_app (flask/app.py:1) 10"]
    parts = profile.divided(100.0, stacks, us_a_look=1.5, said=said)
    assert parts == {"outer layer": 40.0, "framework": 20.0, "server": 40.0}


def test_a_server_is_busy_only_while_a_thread_runs_or_could() -> None:
    loop = "print(flush=True)\nwhile True: pass"
    with _child(loop) as process:
        assert processes.Server(process.pid, "", 0.0).is_busy()
    with _child("print(flush=True)\ninput()") as process:
        server = processes.Server(process.pid, "", 0.0)
        wait_until(lambda: not server.is_busy(), 5, "it waits for a line")


@contextlib.contextmanager
def _child(script: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has begun to run a script."""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_the_difference_to_a_raw_twin_is_told_by_part() -> None:
    sides = {"generated": {"log": 20.0, "server": 30.4}, "raw": {"server": 31.0}}
    found = {"frameworks": {"flask": {"sqlite": {"list": sides}, "date": "2026-11-28", "load": 1}}}
    assert list(raw.profile_tables(found)) == [
        f"### Additional CPU µs of {speed.REQUESTS['list']} on SQLite",
        "",
        "| framework | generated | raw | log | server |",
        "| --- | --- | --- | --- | --- |",
        "| Flask | 50 | 31 | +20 | -1 |",
        "",
    ]


def test_a_profile_has_a_line_for_each_service_and_its_twin() -> None:
    sides = {"generated": {"log": 20.0, "server": 30.4}, "bare": {"server": 31.0}}
    found = {"frameworks": {"flask": {"sqlite": {"read": sides, "create": sides}}}}
    lines = list(speed.profile_tables(found))
    assert lines[:7] == [
        f"### CPU µs of {speed.REQUESTS['read']} on SQLite",
        "",
        "| service | all | server | log |",
        "| --- | --- | --- | --- |",
        "| Flask | 50 | 30 | 20 |",
        "| Flask, baseline | 31 | 31 |  |",
        "",
    ]
    assert f"### CPU µs of {speed.REQUESTS['create']} on SQLite" in lines
    assert not any("PostgreSQL" in line for line in lines)
