"""All tables of the record."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _chats()
    _entries()
    _people()
    _seals()
    if op.get_context().dialect.name == "sqlite":
        _search_sqlite()


def _chats() -> None:
    op.create_table(
        "chats",
        sa.Column("ticket", BIG_KEY, primary_key=True, autoincrement=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("department", sa.Text),
        sa.Column("topic", sa.Text),
        sa.Column("order", sa.Text),
        sa.Column("product", sa.Text),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("customer_name", sa.Text),
        sa.Column("customer_email", sa.Text),
        sa.Column("verified", sa.Boolean, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("owner_participant", sa.Text),
        sa.Column("owner_name", sa.Text),
        sa.Column("gen", sa.Integer, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("accepted_at", sa.BigInteger),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("close_reason", sa.Text),
        sa.Column("rating", sa.Integer),
        sa.Column("locale", sa.Text),
        sa.Column("page_url", sa.Text),
        sa.Column("regarding", sa.Text, nullable=False),
        sa.Column("external_id", sa.Text, unique=True),
        sa.Column("chat_key", sa.Text),
        sa.Column("access_gen", sa.Integer, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.Integer, nullable=False),
        sa.Column("last_public_seq", sa.Integer, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("sealed_seq", sa.Integer, nullable=False),
        sa.Column("indexed_seq", sa.Integer, nullable=False),
        sa.UniqueConstraint("customer_id", "chat_key", name="chats_customer_chat_key"),
    )
    op.create_index("chats_opened_at", "chats", ["opened_at", "ticket"])
    op.create_index("chats_customer", "chats", ["customer_id", "opened_at"])
    op.create_index("chats_department", "chats", ["department", "opened_at"])
    _partial_index(
        "chats_unsealed", "chats", ["ticket"], "state = 'closing' OR (state = 'closed' AND sealed_seq < last_seq)"
    )
    _partial_index("chats_unindexed", "chats", ["ticket"], "indexed_seq < last_seq")


def _entries() -> None:
    op.create_table(
        "entries",
        sa.Column("ticket", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("prev", sa.Integer, nullable=False),
        sa.Column("entry_id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("audience", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("participant_id", sa.Text, nullable=False),
        sa.Column("author_name", sa.Text),
        sa.Column("text", sa.Text),
        sa.Column("data", sa.Text),
        sa.Column("device", sa.Text),
        sa.Column("n", sa.Integer),
        sa.Column("keep", sa.Text, nullable=False),
        sa.Column("masked", sa.Text, nullable=False),
        sa.Column("salt", sa.LargeBinary),
        sa.Column("commitment", sa.LargeBinary, nullable=False),
        sa.Column("erased_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    _partial_index(
        "entries_command", "entries", ["ticket", "participant_id", "device", "n"], "n IS NOT NULL", unique=True
    )
    op.create_table(
        "attachments",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("ticket", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("erased_at", sa.BigInteger),
    )
    op.create_index("attachments_entry", "attachments", ["ticket", "seq"])


def _people() -> None:
    op.create_table(
        "participants",
        sa.Column("ticket", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("participant_id", sa.Text, primary_key=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("person_id", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("rights", sa.Text, nullable=False),
        sa.Column("joined_at", sa.BigInteger, nullable=False),
        sa.Column("left_at", sa.BigInteger),
        sa.Column("read_seq", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("participants_person", "participants", ["person_id", "ticket"])
    op.create_table(
        "accesses",
        sa.Column("id", BIG_KEY, primary_key=True, autoincrement=True),
        sa.Column("ticket", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("how", sa.Text, nullable=False),
    )
    op.create_index("accesses_ticket", "accesses", ["ticket", "at"])


def _seals() -> None:
    op.create_table(
        "seals",
        sa.Column("number", BIG_KEY, primary_key=True, autoincrement=False),
        sa.Column("ticket", sa.BigInteger, nullable=False),
        sa.Column("from_seq", sa.Integer, nullable=False),
        sa.Column("to_seq", sa.Integer, nullable=False),
        sa.Column("public_root", sa.LargeBinary, nullable=False),
        sa.Column("full_root", sa.LargeBinary, nullable=False),
        sa.Column("prev_seal", sa.LargeBinary, nullable=False),
        sa.Column("sealed_at", sa.BigInteger, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("ticket", "from_seq", name="seals_ticket_from"),
    )
    chain = op.create_table(
        "seal_chain",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
    )
    # The head of an empty chain: the first segment's prev_seal is 32 zero bytes.
    op.bulk_insert(chain, [{"id": 1, "number": 0, "digest": bytes(32)}])


def _search_sqlite() -> None:
    # Row id = ticket. Our analyser makes the tokens; `ascii` only splits at the spaces between them and leaves every
    # other script alone. Staff entries have tables of their own: not even a word's frequency crosses over.
    op.execute(
        "CREATE VIRTUAL TABLE search_chats USING fts5(customer, agent, customer_name, agent_name, topic, department, "
        "orders, product, codes, tokenize='ascii')"
    )
    op.execute("CREATE VIRTUAL TABLE search_notes USING fts5(note, codes, tokenize='ascii')")
    op.execute("CREATE VIRTUAL TABLE search_chats_terms USING fts5vocab('search_chats', 'row')")
    op.execute("CREATE VIRTUAL TABLE search_notes_terms USING fts5vocab('search_notes', 'row')")


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
