"""The hub's own tables. The record's tables are `transcripts.schema`; no foreign keys
between the two.

Ids are UUIDv7 text, times ms UTC, JSON is text. Tables without code yet (canned, notices, inbox_items, …) are here so
that the first migration is the whole data model and later ones stay small.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, UniqueConstraint, text

from transcripts.columns import Text

metadata = MetaData()


def _time(name: str, *, nullable: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _index(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


sites = Table(
    "sites",
    metadata,
    Column("key", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("origins", Text, nullable=False),  # JSON: CSP sources that may show the widget
    Column("jwt_keys", Text, nullable=False),  # JSON: keys by which the site's backend signs its customers
    Column("theme", Text, nullable=False),  # JSON
    Column("topics", Text, nullable=False),  # JSON: [{label, department}]
    Column("default_department", Text, nullable=False),
)

departments = Table(
    "departments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),  # staff | seller
    Column("hours", Text),  # JSON
)

customers = Table(
    "customers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("external_id", Text),
    Column("name", Text),
    Column("email", Text),
    _time("email_verified_at"),
    Column("verified", Boolean, nullable=False),
    Column("merged_into", Text),
    _time("created_at", nullable=False),
    _time("erased_at"),
    UniqueConstraint("site", "external_id", name="customers_external_id"),
    # Few are in them: whether a hold protects a chat is asked for each chat that goes.
    _index("customers_merged", "merged_into", where="merged_into IS NOT NULL"),
    _index("customers_verified_address", "email", where="email_verified_at IS NOT NULL"),
)

agents = Table(
    "agents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False, unique=True),  # lower case
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),  # agent | supervisor | admin
    Column("password_hash", Text),  # argon2id; without one (imported) nobody can sign in
    Column("status", Text, nullable=False),  # online | away | offline
    Column("capacity", Integer, nullable=False),
    _time("created_at", nullable=False),
    _time("disabled_at"),
)

agent_departments = Table(
    "agent_departments",
    metadata,
    Column("agent_id", Text, primary_key=True),
    Column("department", Text, primary_key=True),
)

canned = Table(
    "canned",
    metadata,
    Column("id", Text, primary_key=True),
    Column("department", Text),  # none: for all
    Column("shortcut", Text, nullable=False),
    Column("text", Text, nullable=False),
    _time("updated_at", nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("id", Text, primary_key=True),
    Column("category", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    _time("created_at", nullable=False),
)

inbox_items = Table(
    "inbox_items",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),  # chat | notice
    Column("ref", Text, primary_key=True),
    Column("category", Text, nullable=False),
    _time("at", nullable=False),
    _time("read_at"),
    _time("archived_at"),
    _time("deleted_at"),  # hides it from the customer; erasing is another act
    Index("inbox_items_by_customer", "customer_id", "at"),
)

preferences = Table(
    "preferences",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),  # JSON
)

mail_outbox = Table(
    "mail_outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("dedupe_key", Text, unique=True),
    Column("recipient", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),  # JSON
    _time("created_at", nullable=False),
    _time("due_at", nullable=False),
    _time("sent_at"),
    Column("tries", Integer, nullable=False),
    Column("error", Text),
    Index("mail_outbox_due", "sent_at", "due_at"),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False),  # JSON
    Column("secret", Text, nullable=False),
    _time("created_at", nullable=False),
    _time("disabled_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("scopes", Text, nullable=False),  # JSON
    _time("created_at", nullable=False),
    _time("last_used_at"),
    _time("revoked_at"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Text, primary_key=True),
    _time("at", nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text),
    Column("details", Text),  # JSON, never message text
    Index("audit_by_time", "at"),
)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),  # the next one that nobody has
)
