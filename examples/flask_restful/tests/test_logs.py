"""The format of log lines, and how they are written."""

import json
import logging
import os
import sys

import pytest

from stock_keeper.runtime import logs


def record(message: str, error: BaseException | None = None) -> logging.LogRecord:
    raised = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("letters", logging.INFO, "letters.py", 1, message, (), raised)


def test_a_line_for_programs_is_json() -> None:
    line = json.loads(logs.formatter("json").format(record("sent\nforged")))
    assert (line["event"], line["level"], line["logger"]) == ("sent\nforged", "info", "letters")


def test_a_line_for_people_cannot_be_forged_and_shows_the_traceback() -> None:
    with pytest.raises(LookupError) as found:
        raise LookupError("no \x1b[31mletter")
    text = logs.formatter("text").format(record("sent\nforged", found.value))
    assert r"sent\nforged" in text
    assert r"LookupError: no \x1b[31mletter" in text


def test_a_reader_that_does_not_read_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stdout, os.fdopen(reading, "rb", buffering=0) as reader:
        monkeypatch.setattr(sys, "__stdout__", stdout)
        output = logs.Output()
        output.write("first\n")
        assert reader.read(100) == b"first\n"
        for _ in range(20_000):  # more than the pipe and the buffer can hold
            output.write("x" * 999 + "\n")
        assert output.dropped > 0
        output.close()
        assert reader.read(4000) == ("x" * 999 + "\n").encode() * 4


def test_a_log_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "__stdout__", None)
    output = logs.Output()
    output.write("lost\n")
    assert output.dropped == 1
