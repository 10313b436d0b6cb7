"""Alembic's entry point: runs in the transaction that `chatserver.stores.migrate` hands over."""

from alembic import context

from chatserver.stores.migrate import VERSION_TABLE
from chatserver.stores.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
