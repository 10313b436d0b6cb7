"""The durable, ordered, searchable, sealed record of chats.

Usable without the hub: nothing here imports `chatserver`. The invariant of the whole package: the entries of a chat
in SQL are 1..n without a hole, never renumbered, and what a seal covers can be proved unaltered with a public key.

Times are milliseconds since 1970-01-01 UTC, sizes are bytes, ids are text, a chat's id is its ticket number.
"""
