"""What is asked of a service whose owner has added rooms and bookings, in any framework.

A room has a unique `name` and `seats` (1 to 500, 2 by default). A booking refers to a room by
`room_id`, has a `guest`, `nights` (1 to 30), a `starts_at` by which the list can be sorted, and
`paid` (false by default), by which it can be filtered.
"""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.contract.items import (
    UNKNOWN_ID,
    assert_invalid,
    assert_problem,
    fresh_name,
    utc_moment,
)
from tests.contract.wire import Connection, request

ROOMS, BOOKINGS = "/v1/rooms", "/v1/bookings"
_hours = itertools.count()


def new_room(client: httpx.Client, **content: object) -> dict[str, Any]:
    answer = client.post(ROOMS, json={"name": fresh_name("room")} | content)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def new_booking(client: httpx.Client, room: dict[str, Any], **content: object) -> dict[str, Any]:
    hour = next(_hours)
    starts_at = f"2030-01-{1 + hour // 24 % 28:02}T{hour % 24:02}:00:00Z"
    booking = {"room_id": room["id"], "guest": "Ada", "nights": 3, "starts_at": starts_at}
    answer = client.post(BOOKINGS, json=booking | content)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def walk(client: httpx.Client, query: str) -> list[dict[str, Any]]:
    """The bookings of a query, page by page along `Link`."""
    found: list[dict[str, Any]] = []
    url = f"{BOOKINGS}?{query}"
    while True:
        page = client.get(url)
        assert page.status_code == 200, page.text
        found += page.json()["bookings"]
        if "next" not in page.links:
            assert page.json()["next_cursor"] is None
            return found
        url = page.links["next"]["url"]


def ask_of_a_second_resource(client: httpx.Client) -> None:
    """O1: it is there with all that items have, and shares nothing with them."""
    item = client.post("/v1/items", json={"name": fresh_name()}).json()
    room = new_room(client, seats=40)
    assert set(room) == {"id", "name", "seats", "created_at", "updated_at"}
    assert utc_moment(room["created_at"])
    assert client.get(f"{ROOMS}/{room['id']}").json() == room
    assert_problem(client.get(f"{ROOMS}/{item['id']}"), 404)
    assert_problem(client.get(f"/v1/items/{room['id']}"), 404)
    assert [one["id"] for one in client.get(ROOMS).json()["rooms"]] == [room["id"]]
    assert_invalid(client.post(ROOMS, json={"name": "x", "seats": 501}), "/seats")
    assert_invalid(client.post(ROOMS, json={"name": "x", "quantity": 1}), "/quantity")
    taken = assert_problem(client.post(ROOMS, json={"name": room["name"]}), 409)
    assert "room" in taken["detail"]
    assert "name" in taken["detail"]
    replaced = client.put(f"{ROOMS}/{room['id']}", json={"name": room["name"]})
    assert (replaced.status_code, replaced.json()["seats"]) == (200, 2)
    stale = {"If-Match": '"0000000000000000"'}
    assert_problem(client.delete(f"{ROOMS}/{room['id']}", headers=stale), 412)
    assert client.delete(f"{ROOMS}/{room['id']}").status_code == 204
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths["/v1/rooms/{room_id}"]) == {"get", "put", "patch", "delete"}
    assert 'http_route="/v1/rooms/{room_id}"' in client.get("/metrics").text


def ask_of_a_reference(client: httpx.Client) -> None:
    """O2 and R9: a reference to nothing is refused, and so is deleting what is referred to."""
    room = new_room(client)
    booking = new_booking(client, room)
    assert booking["room_id"] == room["id"]
    there = f"{BOOKINGS}/{booking['id']}"
    for change in ({"room_id": UNKNOWN_ID}, {"room_id": "7"}, {"room_id": None}):
        assert_invalid(client.post(BOOKINGS, json=_sent(booking) | change), "/room_id")
        assert_invalid(client.put(there, json=_sent(booking) | change), "/room_id")
        assert_invalid(client.patch(there, json=change), "/room_id")
    assert client.get(there).json() == booking
    kept = assert_problem(client.delete(f"{ROOMS}/{room['id']}"), 409)
    assert "bookings" in kept["detail"]
    assert client.delete(there).status_code == 204
    assert client.delete(f"{ROOMS}/{room['id']}").status_code == 204
    responses = client.get("/openapi.json").json()["paths"]
    assert "409" in responses["/v1/rooms/{room_id}"]["delete"]["responses"]
    assert "409" not in responses["/v1/bookings/{booking_id}"]["delete"]["responses"]


def ask_of_parents_and_children_at_once(client: httpx.Client) -> None:
    """R9: never a child without its parent, and never a 5xx."""
    rooms = [new_room(client) for _ in range(25)]
    template = _sent(new_booking(client, new_room(client)))

    def delete(room: dict[str, Any]) -> int:
        with httpx.Client(base_url=client.base_url, timeout=30) as own:
            return own.delete(f"{ROOMS}/{room['id']}").status_code

    def create(room: dict[str, Any]) -> int:
        with httpx.Client(base_url=client.base_url, timeout=30) as own:
            return own.post(BOOKINGS, json=template | {"room_id": room["id"]}).status_code

    with ThreadPoolExecutor(50) as pool:
        deleted = [pool.submit(delete, room) for room in rooms]
        created = [pool.submit(create, room) for room in rooms]
    for room, one, other in zip(rooms, deleted, created, strict=True):
        assert (one.result(), other.result()) in {(204, 422), (409, 201)}, room
    for booking in walk(client, "limit=100"):
        assert client.get(f"{ROOMS}/{booking['room_id']}").status_code == 200


def ask_of_a_filter(client: httpx.Client) -> None:
    """O3 and R7: a filter narrows the list, and pages keep it."""
    room = new_room(client)
    bookings = [new_booking(client, room, paid=number % 3 == 0) for number in range(12)]
    paid = [booking["id"] for booking in bookings if booking["paid"]]
    assert [one["id"] for one in walk(client, "paid=true&limit=2")] == paid
    assert len(walk(client, "paid=false&limit=5")) == 8
    assert len(walk(client, "limit=5")) == 12
    for wrong in ("paid=1", "paid=True", "paid=", "paid=null", "paid=true&paid=true"):
        assert_invalid(client.get(f"{BOOKINGS}?{wrong}"), "paid")
    assert_invalid(client.get(f"{BOOKINGS}?payed=true"), "payed")
    cursor = client.get(f"{BOOKINGS}?paid=true&limit=1").json()["next_cursor"]
    assert client.get(f"{BOOKINGS}?paid=true&cursor={cursor}").status_code == 200
    for other in ("paid=false&", ""):
        assert_invalid(client.get(f"{BOOKINGS}?{other}cursor={cursor}"), "cursor")
    parameters = client.get("/openapi.json").json()["paths"][BOOKINGS]["get"]["parameters"]
    (described,) = (one for one in parameters if one.get("name") == "paid")
    assert described["schema"]["type"] == "boolean"


def ask_of_an_order(client: httpx.Client) -> None:
    """R7: the list is sorted by a field, ties by creation, and pages keep the order."""
    room = new_room(client)
    hours = [5, 3, 9, 3, 1, 3, 7]
    made = [new_booking(client, room, starts_at=f"2031-01-01T0{h}:00:00Z") for h in hours]
    pairs = sorted((booking["starts_at"], place) for place, booking in enumerate(made))
    ascending = [made[place]["id"] for _, place in pairs]
    for limit in (1, 2, 3, 50):
        assert [one["id"] for one in walk(client, f"sort=starts_at&limit={limit}")] == ascending
        descending = [one["starts_at"] for one in walk(client, f"sort=-starts_at&limit={limit}")]
        assert descending == [moment for moment, _ in reversed(pairs)]
    both = walk(client, "sort=-starts_at&paid=false&limit=2")
    assert [one["starts_at"] for one in both] == [moment for moment, _ in reversed(pairs)]
    for wrong in ("sort=guest", "sort=", "sort=+starts_at", "sort=starts_at&sort=starts_at"):
        assert_invalid(client.get(f"{BOOKINGS}?{wrong}"), "sort")
    cursor = client.get(f"{BOOKINGS}?sort=starts_at&limit=1").json()["next_cursor"]
    for other in ("sort=-starts_at", "paid=false", "sort=starts_at&paid=false", "limit=3"):
        assert_invalid(client.get(f"{BOOKINGS}?{other}&cursor={cursor}"), "cursor")


def ask_of_instants(client: httpx.Client) -> None:
    """An instant is the same instant on both databases, whatever offset it is sent with."""
    room = new_room(client)
    for sent, stored in (
        ("2030-06-01T10:00:00+05:00", "2030-06-01T05:00:00.000000Z"),
        ("2030-06-01T10:00:00.123456-03:30", "2030-06-01T13:30:00.123456Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ):
        booking = new_booking(client, room, starts_at=sent)
        assert booking["starts_at"] == stored
        assert client.get(f"{BOOKINGS}/{booking['id']}").json()["starts_at"] == stored
    for wrong in (
        "2030-06-01T10:00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2030-06-01",
        1_900_000_000,
        "soon",
    ):
        answer = client.post(BOOKINGS, json=_sent(new_booking(client, room)) | {"starts_at": wrong})
        assert_invalid(answer, "/starts_at")


def ask_of_patches(client: httpx.Client) -> None:
    """O3: a patch changes what it names, of the second resource too."""
    room = new_room(client, seats=7)
    answer = client.patch(f"{ROOMS}/{room['id']}", json={"seats": 8})
    assert (answer.status_code, answer.json()["seats"]) == (200, 8)
    assert answer.json()["name"] == room["name"]


def ask_of_an_unread_body(client: httpx.Client) -> None:
    """E2 and O4: whoever answers for a body that is not read, a connection that ends says so."""
    address = str(client.base_url.host), int(client.base_url.port or 80)
    size = 1_250_000

    def ask(sent: int) -> None:
        with Connection(address) as connection:
            head = request("POST", "/v1/items", [("Content-Length", str(size))])
            connection.send(head + b" " * sent)
            answer = connection.answer("POST")
            assert answer.status_code in (401, 413), answer.text
            if answer.headers.get("connection", "").lower() != "close":
                connection.send(b" " * (size - sent))
                assert connection.exchange("GET", "/livez").status_code == 200

    with ThreadPoolExecutor(8) as pool:
        for outcome in [pool.submit(ask, sent) for sent in (0, 1000, 60_000) * 16]:
            outcome.result()


def ask_of_work_beside_requests(client: httpx.Client) -> None:
    old = client.post("/v1/items", json={"name": fresh_name("old")}).headers["Location"]
    until(lambda: client.get(old).status_code == 404)
    name = fresh_name().replace(" ", "-")
    assert client.post("/v1/letters/unknown").status_code == 202
    assert client.post(f"/v1/letters/{name}").status_code == 202
    names = [item["name"] for item in client.get("/v1/items").json()["items"]]
    assert name not in names, "the response waited for the task"
    text = client.get("/metrics").text
    fast = '{http_request_method="POST",http_response_status_code="202",'
    fast += 'http_route="/v1/letters/{name}",le="1.0"} 2.0'
    assert f"http_server_request_duration_seconds_bucket{fast}" in text, "the task was counted"
    until(lambda: name in client.get("/v1/items").text)
    newer = client.post("/v1/items", json={"name": fresh_name("old")}).headers["Location"]
    until(lambda: client.get(newer).status_code == 404)


def until(condition: object) -> None:
    end = time.monotonic() + 10
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


def ask_of_rooms_and_bookings(client: httpx.Client) -> None:
    """All of the above of one service."""
    ask_of_a_second_resource(client)
    ask_of_an_order(client)
    for booking in walk(client, "limit=100"):
        client.delete(f"{BOOKINGS}/{booking['id']}")
    ask_of_a_filter(client)
    ask_of_a_reference(client)
    ask_of_instants(client)
    ask_of_patches(client)
    ask_of_parents_and_children_at_once(client)


def _sent(booking: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in booking.items() if k not in {"id", "created_at", "updated_at"}}
