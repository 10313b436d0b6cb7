"""Who was merged, and who has the same verified address, is found without reading all customers."""

import sqlalchemy as sa
from alembic import op

revision = "chatserver_0003"
down_revision = "chatserver_0002"

INDEXES = {
    "customers_merged": ("merged_into", "merged_into IS NOT NULL"),
    "customers_verified_address": ("email", "email_verified_at IS NOT NULL"),
}


def upgrade() -> None:
    for name, (column, where) in INDEXES.items():
        only = sa.text(where)
        op.create_index(name, "customers", [column], sqlite_where=only, postgresql_where=only)
