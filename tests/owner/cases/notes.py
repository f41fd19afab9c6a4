"""A resource with a long text, for the streams."""

from __future__ import annotations

MODEL = '''\
"""What a note is: its table, and what a client may send."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from ..runtime.content import Content
from ..runtime.resource import Resource
from ..runtime.tables import Record


class Note(Record):
    """A text of some length."""

    __tablename__ = "notes"

    text: Mapped[str] = mapped_column(Text)


class NoteContent(Content):
    """What a client sends of a note."""

    text: Annotated[str, Field(max_length=20_000)]


NOTES = Resource(Note, NoteContent)
'''

MIGRATION = '''\
"""Create notes."""

import sqlalchemy as sa
from alembic import op

revision = "notes"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notes",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("revision", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_notes")),
        sa.UniqueConstraint("id", name=op.f("uq_notes_id")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("notes")
'''

NOTES = {
    "{package}/notes/__init__.py": '"""Notes."""\n',
    "{package}/notes/model.py": MODEL,
    "{package}/migrations/versions/notes.py": MIGRATION,
}
