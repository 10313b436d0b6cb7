"""Alembic's entry point: runs on the connection (and in the transaction) that `transcripts.migrate` hands over."""

from alembic import context

from transcripts.migrate import VERSION_TABLE
from transcripts.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
