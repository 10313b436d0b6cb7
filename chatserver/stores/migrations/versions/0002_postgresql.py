"""PostgreSQL at parity: text that sorts by its bytes, as in SQLite."""

import sqlalchemy as sa
from alembic import op

revision = "chatserver_0002"
down_revision = "chatserver_0001"

TABLES = (
    "sites",
    "departments",
    "customers",
    "agents",
    "agent_departments",
    "canned",
    "notices",
    "inbox_items",
    "preferences",
    "mail_outbox",
    "webhooks",
    "api_keys",
    "audit",
    "counters",
)


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table in TABLES:
        for column in sa.inspect(op.get_bind()).get_columns(table):
            if isinstance(column["type"], sa.Text):
                op.alter_column(table, column["name"], type_=sa.Text(collation="C"))
