"""The words of the index by their beginnings and (mirrored) their ends: what may have been meant is looked up here.

All chats are indexed anew, by the worker and little by little: they are also found by parts of their numbers now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    text = sa.Text(collation="C") if op.get_context().dialect.name == "postgresql" else sa.Text()
    op.create_table(
        "search_words",
        sa.Column("word", text, primary_key=True),
        sa.Column("mirrored", text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("search_words_mirrored", "search_words", ["mirrored"])
    op.execute("UPDATE chats SET indexed_seq = 0 WHERE indexed_seq > 0")
