"""The tables of the record, as SQLAlchemy sees them.

The migrations make them; a test compares the two. No foreign keys: the hub's tables live in the same database under
their own migrations, and erasing must be able to take things away in any order.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from transcripts.columns import BigKey, Text

metadata = MetaData()

chats = Table(
    "chats",
    metadata,
    Column("ticket", BigKey, primary_key=True, autoincrement=False),
    Column("mode", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("department", Text),
    Column("topic", Text),
    Column("order", Text),
    Column("product", Text),
    Column("customer_id", Text, nullable=False),
    Column("customer_name", Text),
    Column("customer_email", Text),
    Column("verified", Boolean, nullable=False),
    Column("owner", Text),
    Column("owner_participant", Text),
    Column("owner_name", Text),
    Column("gen", Integer, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("accepted_at", BigInteger),
    Column("closed_at", BigInteger),
    Column("close_reason", Text),
    Column("rating", Integer),
    Column("locale", Text),
    Column("page_url", Text),
    Column("regarding", Text, nullable=False),  # ticket numbers separated by spaces
    Column("external_id", Text, unique=True),
    Column("chat_key", Text),
    Column("access_gen", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("last_seq", Integer, nullable=False),
    Column("last_public_seq", Integer, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("sealed_seq", Integer, nullable=False),
    Column("indexed_seq", Integer, nullable=False),
    UniqueConstraint("customer_id", "chat_key", name="chats_customer_chat_key"),
    Index("chats_opened_at", "opened_at", "ticket"),
    Index("chats_customer", "customer_id", "opened_at"),
    Index("chats_department", "department", "opened_at"),
    # Work lists: small, because they hold only the chats that still wait for the finaliser or the indexer.
    Index(
        "chats_unsealed",
        "ticket",
        sqlite_where=text("state = 'closing' OR (state = 'closed' AND sealed_seq < last_seq)"),
        postgresql_where=text("state = 'closing' OR (state = 'closed' AND sealed_seq < last_seq)"),
    ),
    Index(
        "chats_open",
        "ticket",
        sqlite_where=text("state IN ('queued', 'active', 'waiting')"),
        postgresql_where=text("state IN ('queued', 'active', 'waiting')"),
    ),
    Index(
        "chats_unindexed",
        "ticket",
        sqlite_where=text("indexed_seq < last_seq"),
        postgresql_where=text("indexed_seq < last_seq"),
    ),
)

entries = Table(
    "entries",
    metadata,
    Column("ticket", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("prev", Integer, nullable=False),
    Column("entry_id", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("participant_id", Text, nullable=False),
    Column("author_name", Text),
    Column("text", Text),
    Column("data", Text),  # JSON object
    Column("device", Text),
    Column("n", BigKey),
    Column("keep", Text, nullable=False),  # words separated by spaces
    Column("masked", Text, nullable=False),
    Column("salt", LargeBinary),  # 16 bytes; gone once erased
    Column("commitment", LargeBinary, nullable=False),  # SHA-256
    Column("erased_at", BigInteger),
    Index(
        "entries_command",
        "ticket",
        "participant_id",
        "device",
        "n",
        unique=True,
        sqlite_where=text("n IS NOT NULL"),
        postgresql_where=text("n IS NOT NULL"),
    ),
    # One chat's entries lie together on disk: reading a transcript is the common question.
    sqlite_with_rowid=False,
)

participants = Table(
    "participants",
    metadata,
    Column("ticket", BigInteger, primary_key=True, autoincrement=False),
    Column("participant_id", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("person_id", Text),
    Column("name", Text),
    Column("rights", Text, nullable=False),
    Column("joined_at", BigInteger, nullable=False),
    Column("left_at", BigInteger),
    Column("read_seq", BigKey, nullable=False),
    Index("participants_person", "person_id", "ticket"),
    sqlite_with_rowid=False,
)

attachments = Table(
    "attachments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ticket", BigInteger, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("erased_at", BigInteger),
    Index("attachments_entry", "ticket", "seq"),
)

seals = Table(
    "seals",
    metadata,
    Column("number", BigKey, primary_key=True, autoincrement=False),  # place in the chain, from 1
    Column("ticket", BigInteger, nullable=False),
    Column("from_seq", Integer, nullable=False),
    Column("to_seq", Integer, nullable=False),
    Column("public_root", LargeBinary, nullable=False),
    Column("full_root", LargeBinary, nullable=False),
    Column("prev_seal", LargeBinary, nullable=False),
    Column("sealed_at", BigInteger, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of what is signed: the next segment's prev_seal
    UniqueConstraint("ticket", "from_seq", name="seals_ticket_from"),
)

seal_chain = Table(
    "seal_chain",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("number", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
)

accesses = Table(
    "accesses",
    metadata,
    Column("id", BigKey, primary_key=True, autoincrement=True),
    Column("ticket", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("how", Text, nullable=False),
    Index("accesses_ticket", "ticket", "at"),
)

holds = Table(
    "holds",
    metadata,
    Column("id", BigKey, primary_key=True, autoincrement=True),
    Column("ticket", BigInteger),  # either this
    Column("customer_id", Text),  # or this
    Column("reason", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("placed_at", BigInteger, nullable=False),
    Column("lifted_by", Text),
    Column("lifted_at", BigInteger),
    *(
        Index(
            f"holds_{column}",
            column,
            unique=True,
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        )
        for column in ("ticket", "customer_id")
    ),
)

retention = Table(
    "retention",
    metadata,
    Column("department", Text, primary_key=True),  # '' for any
    Column("topic", Text, primary_key=True),  # '' for any
    Column("days", Integer),  # none: for ever
)

# Erased here, and perhaps not yet in the other places and on the disk.
interrupted_erasures = Table(
    "interrupted_erasures",
    metadata,
    Column("ticket", BigInteger, primary_key=True, autoincrement=False),
    Column("begun_at", BigInteger, nullable=False),
)

# The same of people. `called` is a keyed digest of how they were called when that was asked for.
interrupted_people = Table(
    "interrupted_people",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("called", Text, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
)
