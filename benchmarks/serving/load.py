"""The load: wrk, with a script that rotates over the items and tells what it has counted."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

CONNECTIONS = 16
TOLD = "counted "
PATHS = {"livez": "/livez", "list": "/v1/items?limit=50", "create": "/v1/items"}
EXPECTED = {"livez": 200, "read": 200, "list": 200, "create": 201}

# A name is never used twice: the run has a part of it, and the number of the request the other.
# `done` is asked after wrk has corrected the latencies for requests that it could not send in time.
SCRIPT = """\
local requests, at, posted, run = {}, 0, 0, ""

function init(arguments)
  if arguments[1] == "create" then
    run = arguments[2]
    wrk.headers["Content-Type"] = "application/json"
  elseif arguments[1] == "read" then
    for line in io.lines(arguments[2]) do
      requests[#requests + 1] = wrk.format("GET", "/v1/items/" .. line)
    end
  else
    requests[1] = wrk.format("GET", arguments[2])
  end
end

function request()
  if run ~= "" then
    posted = posted + 1
    local body = string.format('{"name": "%s-%d", "quantity": %d}', run, posted, posted % 1000)
    return wrk.format("POST", "/v1/items", nil, body)
  end
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    'counted {"requests": %d, "microseconds": %d, "p50": %.1f, "p99": %.1f, "connect": %d,'
    .. ' "read": %d, "write": %d, "status": %d, "timeout": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
"""


class Refused(Exception):
    """A measurement that says nothing: something that was asked did not succeed."""


@dataclass(frozen=True)
class Counted:
    """What one run of wrk has seen; latencies in milliseconds."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rps(self) -> float:
        return self.requests / self.seconds


def counted(output: str) -> Counted:
    """What wrk's output says. `Refused` for an error in it, or where nothing was counted."""
    line = next((line for line in output.splitlines() if line.startswith(TOLD)), None)
    if line is None:
        raise Refused(f"wrk told nothing:\n{output[-2000:]}")
    said = json.loads(line.removeprefix(TOLD))
    kinds = {
        "status": "answers not 2xx",
        "timeout": "answers too late",
        "connect": "connections refused",
        "read": "answers cut off",
        "write": "requests cut off",
    }
    if faults := [f"{said[kind]} {words}" for kind, words in kinds.items() if said[kind]]:
        raise Refused(f"of {said['requests']} requests: {', '.join(faults)}")
    if not said["requests"]:
        raise Refused("no request was answered")
    return Counted(
        requests=said["requests"],
        seconds=said["microseconds"] / 1e6,
        p50_ms=said["p50"] / 1000,
        p99_ms=said["p99"] / 1000,
    )


class Wrk:
    """wrk with its script in `folder`; `ids` are the items that are read, one after the other.

    `headers` are sent with each request.
    """

    def __init__(
        self, folder: Path, ids: Sequence[str], headers: Mapping[str, str] | None = None
    ) -> None:
        found = shutil.which("wrk")
        if found is None:
            raise Refused("wrk is not installed (Debian: apt-get install wrk)")
        self._program = found
        self._script = folder / "load.lua"
        self._script.write_text(SCRIPT)
        self._ids = folder / "ids"
        self._ids.write_text("\n".join(ids))
        self._runs = 0
        self._headers = [f"-H{name}: {value}" for name, value in (headers or {}).items()]

    def start(
        self, url: str, request: str, seconds: int, connections: int = CONNECTIONS
    ) -> subprocess.Popen[str]:
        """Begin to send `request`, a key of EXPECTED or a path with its query."""
        self._runs += 1
        given = {"create": ["create", f"run-{self._runs}"], "read": ["read", str(self._ids)]}
        arguments = given.get(request, ["get", PATHS.get(request, request)])
        options = f"-t1 -c{connections} -d{seconds}s --timeout 10s".split()
        script = ["-s", str(self._script)]
        return subprocess.Popen(
            [self._program, *options, *self._headers, *script, url, "--", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, url: str, request: str, seconds: int, connections: int = CONNECTIONS) -> Counted:
        """Send `request` for so long, and wait for what was counted."""
        with self.start(url, request, seconds, connections) as process:
            try:
                output, _ = process.communicate(timeout=seconds + 60)
            except BaseException:
                process.kill()
                raise
        return counted(output)


def check(url: str, request: str, item_id: str, headers: Mapping[str, str] | None = None) -> None:
    """One request by hand: wrk takes a redirect for an answer, and looks at no body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    path = PATHS.get(request, f"/v1/items/{item_id}" if request == "read" else request)
    try:
        if request == "create":
            body = json.dumps({"name": "by hand", "quantity": 7})
            as_json = {"Content-Type": "application/json"}
            connection.request("POST", path, body, {**as_json, **(headers or {})})
        else:
            connection.request("GET", path, headers=dict(headers or {}))
        answer = connection.getresponse()
        said = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Refused(f"{path}: {error!r}") from error
    finally:
        connection.close()
    if answer.status != EXPECTED.get(request, 200) or not _is_right(request, said, item_id):
        raise Refused(f"{path}: {answer.status} {json.dumps(said)[:300]}")


def _is_right(request: str, said: dict[str, object], item_id: str) -> bool:
    match request:
        case "livez":
            return said == {"status": "pass"}
        case "read":
            return said["id"] == item_id
        case "create":
            return said["name"] == "by hand" and said["quantity"] == 7
        case _:
            items = said["items"]
            return isinstance(items, list) and len(items) == 50
