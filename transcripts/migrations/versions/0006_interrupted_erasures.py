"""Chats that are erased in SQL, and not yet everywhere else."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "interrupted_erasures",
        sa.Column("ticket", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
    )
