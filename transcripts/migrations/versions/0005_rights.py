"""What must not go (holds), and what goes after a time (retention)."""

import sqlalchemy as sa
from alembic import op

from transcripts.columns import BigKey, Text

revision = "0005"
down_revision = "0004"

STANDING = sa.text("lifted_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "holds",
        sa.Column("id", BigKey, primary_key=True, autoincrement=True),
        sa.Column("ticket", sa.BigInteger()),
        sa.Column("customer_id", Text),
        sa.Column("reason", Text, nullable=False),
        sa.Column("placed_by", Text, nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("lifted_by", Text),
        sa.Column("lifted_at", sa.BigInteger()),
    )
    for column in ("ticket", "customer_id"):
        op.create_index(
            f"holds_{column}", "holds", [column], unique=True, sqlite_where=STANDING, postgresql_where=STANDING
        )
    op.create_table(
        "retention",
        sa.Column("department", Text, primary_key=True),
        sa.Column("topic", Text, primary_key=True),
        sa.Column("days", sa.Integer()),
    )
