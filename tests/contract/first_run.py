"""What a first run looks like, as JSON; runs inside a network namespace of its own.

unshare --net python first_run.py COMMAND...
"""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

LISTEN = "0A"


def listening() -> list[str]:
    """Every address that somebody listens on in this namespace."""
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN:
                address, port = fields[1].split(":")
                readable = ".".join(str(byte) for byte in bytes.fromhex(address)[:4][::-1])
                found.append(f"{readable}:{int(port, 16)}")
    return sorted(found)


def ask(method: str, path: str, body: str | None = None) -> tuple[int, object, str]:
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=10)
    headers = {"Content-Type": "application/json"} if body else {}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content, answer.getheader("server", "")


def wait_for(process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while "127.0.0.1:8000" not in listening():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            sys.exit(f"nobody listens on 127.0.0.1:8000:\n{process.communicate()[0]}")
        time.sleep(0.05)


def main(command: list[str]) -> None:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(process)
    live = ask("GET", "/livez")
    seen: dict[str, object] = {
        "listening": listening(),
        "live": live[:2],
        "server": live[2],
        "ready": ask("GET", "/readyz")[:2],
        "empty": ask("GET", "/v1/items")[:2],
        "created": ask("POST", "/v1/items", '{"name": "first"}')[:2],
        "listed": ask("GET", "/v1/items")[:2],
    }
    process.send_signal(signal.SIGTERM)
    seen["output"] = process.communicate(timeout=15)[0]
    seen["exit"] = process.returncode
    print(json.dumps(seen))


main(sys.argv[1:])
