"""The errors of the record, one small tree.

    TranscriptError
    ├── StoreUnavailableError   the database does not answer or cannot be opened; trying again later may help
    │   └── UndoneError         PostgreSQL undid the transaction for another's sake; nothing of it has happened
    ├── SchemaError             the database is of another version than this program
    ├── HoleError               entries that should be in SQL are not
    ├── CanonicalError          a value has no deterministic encoding
    ├── SealError               a key or a seal is not what it should be
    ├── UnreadableError         a file is not what it should be
    ├── UnknownZoneError        a time zone that is none
    ├── ErasureError            something cannot be erased, or not yet
    │   └── HeldError           it is on legal hold
    └── ImportLineError         a line of an import cannot be read; names line and field

Messages are for people: one plain sentence, no traceback needed.
"""


class TranscriptError(Exception):
    """Something is wrong with the record."""

    retryable = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class StoreUnavailableError(TranscriptError):
    """The database does not answer."""

    retryable = True


class UndoneError(StoreUnavailableError):
    """The database undid the transaction."""


class SchemaError(TranscriptError):
    """The database belongs to another version of this program."""


class HoleError(TranscriptError):
    """The entries of a chat are not complete."""

    def __init__(self, ticket: int, missing: int) -> None:
        super().__init__(f"chat #{ticket} lacks entry {missing} in the database")
        self.ticket = ticket
        self.missing = missing


class CanonicalError(TranscriptError):
    """A value cannot be encoded in the one canonical way."""


class SealError(TranscriptError):
    """A seal or its key is not valid."""


class UnreadableError(TranscriptError):
    """A file is not what it should be."""


class UnknownZoneError(TranscriptError):
    """There is no such time zone."""


class ErasureError(TranscriptError):
    """It cannot be erased, or not yet."""


class HeldError(ErasureError):
    """It is on legal hold."""


class ImportLineError(TranscriptError):
    """A line of the import cannot be read."""

    def __init__(self, line: int, field: str, why: str) -> None:
        super().__init__(f"line {line}: {field}: {why}" if field else f"line {line}: {why}")
        self.line = line
        self.field = field
        self.why = why
