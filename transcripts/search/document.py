"""What the search stores of a chat: its terms, in columns by who said them and what they name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from transcripts.chat import Chat
from transcripts.search.analyser import other_forms, terms

CUSTOMER, AGENT = "customer", "agent"

BREAK = "·"
"""Stands between two entries, so that no phrase reaches across."""

CUT = 20_000
"""Characters of a column that ranking looks at: a day of talking."""

_BREAK = f" {BREAK} "
_SPOKEN = {CUSTOMER, AGENT, "note"}

COLUMNS = (CUSTOMER, AGENT, "customer_name", "agent_name", "topic", "department", "orders", "product", "codes")
"""The columns of the index for everybody. `codes` are the joined forms and the parts of numbers, and the chat's own
numbers.
"""

NOTE_COLUMNS = ("note", "codes")
"""The columns of the staff's index."""


@dataclass(frozen=True)
class Document:
    """A chat as the index knows it: {column: terms with spaces between}. `notes` is None without staff entries."""

    ticket: int
    public: dict[str, str]
    notes: dict[str, str] | None = field(default=None)


class Said(NamedTuple):
    """What the search needs to know of an entry."""

    kind: str
    audience: str
    role: str
    name: str | None
    text: str | None
    data: dict[str, Any] | None


def document_of(chat: Chat, said: Sequence[Said], before: Document | None = None) -> Document:
    """The document of a chat from its row and its entries in order. With `before`, the document of the entries up to
    there, only those that follow are given and analysed.

    Staff entries go into `notes` and nowhere else: neither their words nor the names of who wrote them reach the index
    that customers' searches use.
    """
    public = [entry for entry in said if entry.audience == "all"]
    customer = [entry for entry in public if entry.role == "customer"]
    others = [entry for entry in public if entry.role != "customer"]
    numbers = [] if before else [str(chat.ticket), chat.external_id or "", *map(str, chat.regarding)]
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
    noted = [entry for entry in said if entry.audience != "all" and entry.text]
    notes = {"note": _text(noted), "codes": " ".join(_codes(noted))} if noted else None
    if before is None:
        return Document(chat.ticket, columns, notes)
    if before.notes and notes:
        notes = _joined(before.notes, notes)
    return Document(chat.ticket, _joined(before.public, columns), notes or before.notes)


def _joined(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Two stretches of a chat as one."""
    columns: dict[str, str] = {}
    for name, value in after.items():
        both = [part for part in (before[name], value) if part]
        if name == "codes":
            columns[name] = " ".join(both)
        elif name in _SPOKEN:
            columns[name] = _BREAK.join(both)
        else:  # a name is there once
            columns[name] = _BREAK.join(dict.fromkeys(piece for part in both for piece in part.split(_BREAK)))
    return columns


def _text(entries: Iterable[Said]) -> str:
    return _BREAK.join(" ".join(terms(entry.text)) for entry in entries if entry.text)


def _codes(entries: Iterable[Said]) -> list[str]:
    texts = [entry.text for entry in entries if entry.text]
    return [term for text in texts for term in other_forms(text)]


def _names(values: Iterable[str | None]) -> str:
    """Terms, joined forms and parts of short values, each value once."""
    known = list(dict.fromkeys(value for value in values if value))
    forms = ([*terms(value), *other_forms(value)] for value in known)
    return _BREAK.join(" ".join(form) for form in forms)


def _names_of(entries: Iterable[Said]) -> list[str | None]:
    return [entry.name for entry in entries]


def _department_names(entries: Iterable[Said]) -> list[str]:
    said = [entry.data.get("department") for entry in entries if entry.kind == "opened" and entry.data]
    return [str(one["name"]) for one in said if isinstance(one, dict) and one.get("name")]
