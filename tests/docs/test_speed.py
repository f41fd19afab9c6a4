"""The picture of the speed shows what measured.json holds."""

from __future__ import annotations

from docs import speed


def test_the_picture_is_drawn_from_what_was_measured() -> None:
    drawn = speed.PICTURE.read_text(encoding="utf-8") if speed.PICTURE.exists() else None
    found = speed.measured()
    assert drawn == (speed.picture(found) if found else None)
