"""PostgreSQL at parity: text that sorts by its bytes, numbers as wide as SQLite's, tables for the search.

The search has one row a chat, in two tables: for everybody, and for staff entries. `terms` is what is looked for (an
index over it), `document` the analyser's terms by column, which phrases are looked for in and candidates are ranked by.
Both are kept out of the row (`toast_tuple_target`), so that counting and joining many hits reads little.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = ("chats", "entries", "participants", "attachments", "seals", "accesses")


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table in TABLES:
        for column in sa.inspect(op.get_bind()).get_columns(table):
            if isinstance(column["type"], sa.Text):
                op.alter_column(table, column["name"], type_=sa.Text(collation="C"))
    op.alter_column("entries", "n", type_=sa.BigInteger())
    op.alter_column("participants", "read_seq", type_=sa.BigInteger())
    for table in ("search_chats", "search_notes"):
        op.execute(
            f"CREATE TABLE {table} (ticket bigint PRIMARY KEY, terms tsvector NOT NULL, "
            'document text COLLATE "C" NOT NULL) WITH (toast_tuple_target = 128)'
        )
        op.execute(f"CREATE INDEX {table}_terms ON {table} USING gin (terms) WITH (fastupdate = off)")
