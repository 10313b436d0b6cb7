"""What the search stores of a chat: its terms, in columns by who said them and what they name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from transcripts.chat import Chat
from transcripts.entry import Entry
from transcripts.search.analyser import codes, terms

CUSTOMER, AGENT = "customer", "agent"

BREAK = "·"
"""Stands between two entries, so that no phrase reaches across."""

COLUMNS = (CUSTOMER, AGENT, "customer_name", "agent_name", "topic", "department", "orders", "product", "codes")
"""The columns of the index for everybody. `codes` are the joined forms of numbers and the chat's own numbers."""

NOTE_COLUMNS = ("note", "codes")
"""The columns of the staff's index."""


@dataclass(frozen=True)
class Document:
    """A chat as the index knows it: {column: terms with spaces between}. `notes` is None without staff entries."""

    ticket: int
    public: dict[str, str]
    notes: dict[str, str] | None = field(default=None)


def document_of(chat: Chat, entries: Sequence[Entry]) -> Document:
    """The document of a chat from its row and all its entries in order.

    Staff entries go into `notes` and nowhere else: neither their words nor the names of who wrote them reach the index
    that customers' searches use.
    """
    public = [entry for entry in entries if entry.audience == "all"]
    customer = [entry for entry in public if entry.role == "customer"]
    others = [entry for entry in public if entry.role != "customer"]
    numbers = [str(chat.ticket), chat.external_id or "", *map(str, chat.regarding)]
    columns = {
        CUSTOMER: _text(customer),
        AGENT: _text(others),
        "customer_name": _names([chat.customer_name, chat.customer_email, *_names_of(customer)]),
        "agent_name": _names(_names_of(entry for entry in others if entry.role in {"agent", "supervisor"})),
        "topic": _names([chat.topic]),
        "department": _names([chat.department, *_department_names(public)]),
        "orders": _names([chat.order]),
        "product": _names([chat.product]),
        "codes": " ".join([*_names(numbers).split(), *_codes(public)]),
    }
    notes = [entry for entry in entries if entry.audience != "all" and entry.text]
    if not notes:
        return Document(chat.ticket, columns)
    return Document(chat.ticket, columns, {"note": _text(notes), "codes": " ".join(_codes(notes))})


def _text(entries: Iterable[Entry]) -> str:
    return f" {BREAK} ".join(" ".join(terms(entry.text)) for entry in entries if entry.text)


def _codes(entries: Iterable[Entry]) -> list[str]:
    return [code.term for entry in entries if entry.text for code in codes(entry.text)]


def _names(values: Iterable[str | None]) -> str:
    """Terms and joined forms of short values, each value once."""
    known = list(dict.fromkeys(value for value in values if value))
    return f" {BREAK} ".join(" ".join([*terms(value), *(code.term for code in codes(value))]) for value in known)


def _names_of(entries: Iterable[Entry]) -> list[str | None]:
    return [entry.name for entry in entries]


def _department_names(entries: Iterable[Entry]) -> list[str]:
    said = [entry.data.get("department") for entry in entries if entry.kind == "opened" and entry.data]
    return [str(one["name"]) for one in said if isinstance(one, dict) and one.get("name")]
