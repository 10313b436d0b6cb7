"""An index of the open chats: few beside all that have ended, and walked whenever Redis has lost something."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

OPEN = "state IN ('queued', 'active', 'waiting')"


def upgrade() -> None:
    op.create_index("chats_open", "chats", ["ticket"], sqlite_where=sa.text(OPEN), postgresql_where=sa.text(OPEN))
