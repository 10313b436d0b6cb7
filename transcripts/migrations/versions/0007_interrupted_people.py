"""People who are erased in SQL, and not yet with all their chats and everywhere else."""

import sqlalchemy as sa
from alembic import op

from transcripts.columns import Text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "interrupted_people",
        sa.Column("customer_id", Text, primary_key=True),
        sa.Column("called", Text, nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
    )
