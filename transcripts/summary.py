"""What the entries of a transcript say about the chat: its heading, computed, never stored beside them.

The export shows it and the verifier computes it again, so that nothing in the file stands outside the proof.
"""

from collections.abc import Iterable
from typing import Any, Protocol

_OPENED = ("topic", "department", "order", "product", "regarding")


class Line(Protocol):
    """As much of an entry as the heading needs."""

    @property
    def kind(self) -> str: ...
    @property
    def at(self) -> int: ...
    @property
    def role(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def data(self) -> dict[str, Any] | None: ...


def summary_of(entries: Iterable[Line]) -> dict[str, Any]:
    """The heading of a transcript from its entries in order; fields nobody said are left out.

    `{topic, department, order, product, regarding, customer_name, agent_name, opened_at, accepted_at, closed_at,
    close_reason, rating}`, times in ms UTC. Erased entries say nothing but their time.
    """
    said: dict[str, Any] = {}
    for entry in entries:
        data = entry.data or {}
        match entry.kind:
            case "opened":
                said["opened_at"] = entry.at
                said |= {
                    key: data[key] for key in ("topic", "department", "order", "product", "regarding") if key in data
                }
            case "assigned":
                said.setdefault("accepted_at", entry.at)
                said["agent_name"] = data.get("name")
            case "closed":
                said["closed_at"] = entry.at
                said["close_reason"] = data.get("reason")
            case "rated":
                said["rating"] = data.get("rating")
        if entry.role == "customer" and entry.name is not None:
            said.setdefault("customer_name", entry.name)
    return {key: value for key, value in said.items() if value is not None}
