"""The rows of a fresh service: `seed.py`."""

from pathlib import Path

import httpx
import pytest

from stock_keeper.runtime import seeding
from stock_keeper.settings import Settings

LISTS = ["products", "movements"]


def rows(client: httpx.Client) -> list[list[dict[str, object]]]:
    return [client.get(f"/v1/{plural}").json()[plural] for plural in LISTS]


def test_each_resource_gets_rows_where_it_has_none(
    client: httpx.Client, settings: Settings
) -> None:
    assert not any(rows(client))
    seeding.seed(settings)
    created = rows(client)
    assert all(created)
    seeding.seed(settings)
    assert rows(client) == created, "a second time adds nothing"


def test_nothing_is_seeded_where_there_is_no_schema(tmp_path: Path) -> None:
    empty = Settings(database_url=f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(SystemExit):
        seeding.seed(empty)
