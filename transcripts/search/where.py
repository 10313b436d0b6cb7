"""The conditions of a search as SQL over `chats c`. How words are found is left to each engine's index."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, text

from transcripts.search.document import CUSTOMER
from transcripts.search.query import Clause, Filter, Query
from transcripts.search.scope import Scope

COLUMN_OF = {
    "agent": "agent_name",
    "customer": "customer_name",
    "topic": "topic",
    "department": "department",
    "order": "orders",
    "product": "product",
}
"""{name of a filter: column of the index}."""

_ID_OF = {"customer": "customer_id", "department": "department"}  # these take an id too


@dataclass(frozen=True)
class Conditions:
    """Which chats count at all: what the asker may see, and the query's filters, phrases, unwanted words and days.

    `span` is (from, before) for the opening of the chat, ms UTC, None: open.
    """

    query: Query
    scope: Scope
    span: tuple[int | None, int | None]


def reads_notes(conditions: Conditions) -> bool:
    """Whether staff entries count. What a customer said is not in them."""
    return conditions.scope.sees_notes and conditions.query.side != CUSTOMER


class Where(ABC):
    """The conditions with their values: `sql` goes into a statement that `question` makes executable."""

    def __init__(self, conditions: Conditions) -> None:
        self.values: dict[str, Any] = {}
        self.notes = reads_notes(conditions)
        self.reads_rows = False
        """Whether more than `c.ticket` is asked for."""
        self._lists: list[str] = []
        self._parts: list[str] = []
        query, scope = conditions.query, conditions.scope
        self._scope(scope)
        if query.tickets:
            self.add_list("c.ticket", "tickets", query.tickets)
        if query.ratings is not None:
            self.add_list("c.rating", "ratings", query.ratings)
        for sign, edge, value in ((">=", "span_from", conditions.span[0]), ("<", "span_before", conditions.span[1])):
            if value is not None:
                self.add(f"c.opened_at {sign} :{edge}")
                self.values[edge] = value
                self.reads_rows = True
        needed = [one for one in query.filters if not one.negated and one.name not in _ID_OF]
        if needed:
            self.add(self.in_fields(needed, needed=True))
        for one in query.filters:
            if one in needed:
                continue
            found = self.in_fields([one], needed=False)
            if one.name in _ID_OF:
                found = f"({found} OR c.{_ID_OF[one.name]} = {self.value(one.value)})"
                self.reads_rows = True
            self.add(f"({found}) IS NOT TRUE" if one.negated else found)
        for clause in query.phrases:
            self.add(self.said(clause, query.side, exact=False))
        for clause in query.unwanted:
            self.add(self.not_said(clause))

    @abstractmethod
    def in_fields(self, filters: Sequence[Filter], *, needed: bool) -> str:
        """That the chat has all clauses of the filters in their fields. `needed`: what has not is no answer. Empty if
        there is nothing more to ask.
        """

    @abstractmethod
    def said(self, clause: Clause, side: str | None, *, exact: bool) -> str:
        """That the clause was said, in brackets; by that side, if one is named, and in notes where they count. Empty if
        there is nothing more to ask.

        Not `exact`: a few more may pass, `ranking` looks again.
        """

    def not_said(self, clause: Clause) -> str:
        """That nobody said it, nor noted it where notes count. Empty if there is nothing more to ask."""
        return f"NOT {self.said(clause, None, exact=True)}"

    def __bool__(self) -> bool:
        return bool(self._parts)

    @property
    def sql(self) -> str:
        """All conditions."""
        return " AND ".join(self._parts) or "1 = 1"

    def add(self, condition: str) -> None:
        """One condition more, if it is not empty."""
        if condition:
            self._parts.append(condition)

    def add_list(self, column: str, name: str, values: Collection[Any]) -> None:
        """That the column has one of the values."""
        if not values:
            return self.add("1 = 0")
        self.add(f"{column} IN :{name}")
        self.values[name] = list(values)
        self._lists.append(name)
        self.reads_rows = True

    def value(self, value: Any) -> str:
        """A value's place in the statement."""
        name = f"v{len(self.values)}"
        # What no text in a database can be equal to must not be an error either.
        self.values[name] = (
            value.encode(errors="replace").decode().replace("\0", "?") if isinstance(value, str) else value
        )
        return f":{name}"

    def question(self, sql: str) -> Any:
        """The statement, with the values of the conditions."""
        lists: list[Any] = [bindparam(name, self.values[name], expanding=True) for name in self._lists]
        plain = {name: value for name, value in self.values.items() if name not in self._lists}
        return text(sql).bindparams(*lists, **plain)

    def _scope(self, scope: Scope) -> None:
        if scope.customers is not None:
            self.add_list("c.customer_id", "customers", scope.customers)
        if scope.departments is not None:
            self.add_list("c.department", "departments", scope.departments)
