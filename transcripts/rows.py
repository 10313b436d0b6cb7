"""Between the rows of the database and the records of the package."""

from typing import Any

import msgspec
from msgspec.structs import astuple
from sqlalchemy import RowMapping

from transcripts.chat import Chat
from transcripts.entry import Entry, Participant

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def entry_of(row: RowMapping) -> Entry:
    """An `entries` row as the entry it holds."""
    return Entry(
        ticket=row["ticket"],
        seq=row["seq"],
        prev=row["prev"],
        entry_id=row["entry_id"],
        at=row["at"],
        kind=row["kind"],
        audience=row["audience"],
        role=row["role"],
        participant_id=row["participant_id"],
        name=row["author_name"],
        text=row["text"],
        data=data_of(row["data"]),
        device=row["device"],
        n=row["n"],
        keep=tuple(row["keep"].split()),
        masked=tuple(row["masked"].split()),
        erased_at=row["erased_at"],
    )


def entry_values(entry: Entry, salt: bytes, commitment: bytes) -> tuple[Any, ...]:
    """A new entry's row: the values of the columns of `schema.entries`, in their order, which is that of the entry's
    fields.
    """
    fields = astuple(entry)
    data, keep, masked = entry.data, entry.keep, entry.masked
    return (
        *fields[:11],
        None if data is None else _encode(data).decode(),
        *fields[12:14],
        " ".join(keep) if keep else "",
        " ".join(masked) if masked else "",
        salt,
        commitment,
        None,
    )


def data_of(text: str | None) -> dict[str, Any] | None:
    """An entry's `data` column as the object it holds."""
    return None if text is None else _decode(text)


def chat_of(row: RowMapping) -> Chat:
    """A `chats` row as a record."""
    fields = dict(row)
    fields["regarding"] = tuple(int(ticket) for ticket in row["regarding"].split())
    return Chat(**fields)


def participant_of(row: RowMapping) -> Participant:
    """A `participants` row as a record, without its read marker."""
    return Participant(
        participant_id=row["participant_id"],
        role=row["role"],
        person_id=row["person_id"],
        name=row["name"],
        rights=row["rights"],
        joined_at=row["joined_at"],
        left_at=row["left_at"],
    )
