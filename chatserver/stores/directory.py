"""People and places in SQL: sites, departments, agents, customers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.clock import now_ms
from chatserver.errors import ChatError, ConflictError
from chatserver.ids import new_id
from chatserver.model.person import Department, Person
from chatserver.stores.same_person import seen_by
from chatserver.stores.schema import agent_departments, agents, customers, departments, sites
from chatserver.stores.together import Together
from transcripts.database import lock_tables, read, write

MIN_PASSWORD = 10


class Site(msgspec.Struct, frozen=True):
    """A place that shows the widget."""

    key: str
    name: str
    origins: tuple[str, ...]
    topics: tuple[dict[str, str], ...]
    default_department: str


class NewAgent(msgspec.Struct, frozen=True):
    """What has to be said of a new member of staff."""

    email: str
    name: str
    role: str = "agent"
    departments: tuple[str, ...] = ()
    password: str | None = None


class AgentExistsError(ConflictError):
    """There is an agent with this email already."""


class AdminExistsError(ConflictError):
    """There is an administrator already."""


class WeakPasswordError(ChatError):
    """The password is too short."""

    code, http_status = "invalid", 400


class Directory:
    """Reads and writes the hub's tables; every method is one transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._hasher = PasswordHasher()
        self._dummy: str | None = None
        self._agents = Together(self._agents_by_id)

    # -- sites and departments

    async def site(self, key: str) -> Site | None:
        """The site with this public key."""
        async with read(self.engine) as db:
            row = (await db.execute(select(sites).where(sites.c.key == key))).mappings().first()
        if row is None:
            return None
        return Site(
            key=row["key"],
            name=row["name"],
            origins=tuple(json.loads(row["origins"])),
            topics=tuple(json.loads(row["topics"])),
            default_department=row["default_department"],
        )

    async def departments(self) -> dict[str, Department]:
        """All departments by id."""
        async with read(self.engine) as db:
            rows = (await db.execute(select(departments.c.id, departments.c.name).order_by(departments.c.name))).all()
        return {id_: Department(id_, name) for id_, name in rows}

    # -- agents

    async def agent_ids(self) -> list[str]:
        """All members of staff."""
        async with read(self.engine) as db:
            return list((await db.execute(select(agents.c.id))).scalars())

    async def has_admin(self) -> bool:
        """Whether somebody has set the installation up."""
        async with read(self.engine) as db:
            found = await db.execute(
                select(agents.c.id).where(agents.c.role == "admin", agents.c.password_hash.is_not(None)).limit(1)
            )
            return found.first() is not None

    async def add_agent(self, new: NewAgent, *, first_admin: bool = False) -> Person:
        """Adds a member of staff; departments that do not exist are made.

        Raises:
            AgentExistsError: the email is taken.
            AdminExistsError: `first_admin`, and there is one already.
            WeakPasswordError: a password of fewer than ten characters.
        """
        hashed = await asyncio.to_thread(self._hash, new.password) if new.password is not None else None
        agent_id, email = new_id(), new.email.strip().lower()
        async with write(self.engine) as db:
            await lock_tables(db, agents, departments)
            if first_admin and (await db.execute(select(agents.c.id).where(agents.c.role == "admin").limit(1))).first():
                raise AdminExistsError
            known = dict((await db.execute(select(departments.c.id, departments.c.name))).all())
            wanted = new.departments or (next(iter(sorted(known))),)
            for name in wanted:
                if name not in known:
                    await db.execute(
                        insert(departments).values(id=name, name=name.replace("-", " ").capitalize(), kind="staff")
                    )
                    known[name] = name
            try:
                await db.execute(
                    insert(agents).values(
                        id=agent_id,
                        email=email,
                        name=new.name,
                        role=new.role,
                        password_hash=hashed,
                        status="offline",
                        capacity=5,
                        created_at=now_ms(),
                    )
                )
            except IntegrityError as exc:
                raise AgentExistsError(f"There is an agent {email} already.") from exc
            await db.execute(insert(agent_departments), [{"agent_id": agent_id, "department": name} for name in wanted])
        return Person(agent_id, new.role, new.name, tuple(Department(name, known[name]) for name in wanted))

    async def sign_in(self, email: str, password: str) -> Person | None:
        """The agent with these credentials; takes as long for an unknown email as for a wrong password."""
        async with read(self.engine) as db:
            row = (await db.execute(_agent_by(agents.c.email == email.strip().lower()))).mappings().first()
        matches = await asyncio.to_thread(self._verify, row["password_hash"] if row else None, password)
        return await self.agent(row["id"]) if row and matches else None

    async def agent(self, agent_id: str) -> Person | None:
        """A member of staff who may sign in; supervisors and admins are in every department."""
        return await self._agents.get(agent_id)

    async def _agents_by_id(self, ids: Sequence[str]) -> dict[str, Person]:
        found: dict[str, Person] = {}
        async with read(self.engine) as db:
            for agent_id, role, name, place, place_name in await db.execute(_STAFF, {"ids": ids}):
                person = found.setdefault(agent_id, Person(agent_id, role, name))
                if place is not None:
                    places = (*person.departments, Department(place, place_name))
                    found[agent_id] = replace(person, departments=places)
        return found

    async def agent_names(self, ids: Collection[str]) -> dict[str, str]:
        """{id: name} of those that are members of staff, or once were."""
        async with read(self.engine) as db:
            rows = await db.execute(select(agents.c.id, agents.c.name).where(agents.c.id.in_(list(ids))))
            return dict(rows.all())

    async def agent_email(self, agent_id: str) -> str | None:
        """The address an agent signs in with."""
        async with read(self.engine) as db:
            return (await db.execute(select(agents.c.email).where(agents.c.id == agent_id))).scalar()

    def _hash(self, password: str) -> str:
        if len(password) < MIN_PASSWORD:
            raise WeakPasswordError(f"The password needs at least {MIN_PASSWORD} characters.")
        return self._hasher.hash(password)

    def _verify(self, hashed: str | None, password: str) -> bool:
        if self._dummy is None:
            self._dummy = self._hasher.hash(new_id())
        try:
            return self._hasher.verify(hashed or self._dummy, password) and hashed is not None
        except VerificationError:
            return False

    # -- customers

    async def add_customer(self, *, site: str) -> str:
        """A new anonymous customer; the id."""
        customer_id = new_id()
        async with write(self.engine) as db:
            await db.execute(insert(customers).values(id=customer_id, site=site, verified=False, created_at=now_ms()))
        return customer_id

    async def same_person(self, customer_id: str) -> frozenset[str]:
        """The ids whose chats this customer may see and take along (`stores.same_person`)."""
        async with read(self.engine) as db:
            return await seen_by(db, customer_id)

    async def customer_names(self, customer_id: str) -> dict[str, Any]:
        """What we know of a customer, for staff."""
        async with read(self.engine) as db:
            row = (await db.execute(select(customers).where(customers.c.id == customer_id))).mappings().first()
        return (
            {"id": customer_id, "name": row["name"], "email": row["email"], "verified": row["verified"]}
            if row
            else {"id": customer_id, "verified": False}
        )

    async def is_customer(self, customer_id: str) -> bool:
        """Whether there is one with this id of ours."""
        async with read(self.engine) as db:
            return bool(await db.scalar(select(customers.c.id).where(customers.c.id == customer_id)))

    async def is_erased(self, customer_id: str) -> bool:
        """Whether this customer was erased."""
        gone = customers.c.erased_at.is_not(None)
        async with read(self.engine) as db:
            return bool(await db.scalar(select(customers.c.id).where(customers.c.id == customer_id, gone)))

    async def erased_customers(self, *, after: str = "", limit: int = 1_000) -> list[str]:
        """Ids of customers who were erased, in their order."""
        question = select(customers.c.id).where(customers.c.erased_at.is_not(None), customers.c.id > after)
        async with read(self.engine) as db:
            return list((await db.execute(question.order_by(customers.c.id).limit(limit))).scalars())

    # -- people of an import: customers are unverified, agents cannot sign in

    async def import_customers(self, people: Sequence[dict[str, Any]], *, site: str) -> list[str]:
        """Ids of the customers with these `{id?, name?, email?}`; `id` is the site's own, and the same one is the
        same customer.
        """
        async with write(self.engine) as db:
            await lock_tables(db, customers)
            wanted = {str(one["id"]) for one in people if one.get("id")}
            rows = await db.execute(
                select(customers.c.external_id, customers.c.id).where(
                    customers.c.site == site, customers.c.external_id.in_(wanted)
                )
            )
            known: dict[str, str] = {external: id_ for external, id_ in rows.all() if external is not None}
            ids, new = [], []
            for one in people:
                external = str(one["id"]) if one.get("id") else None
                if external is None or external not in known:
                    row = {
                        "id": new_id(),
                        "site": site,
                        "external_id": external,
                        "name": one.get("name"),
                        "email": one.get("email"),
                        "verified": False,
                        "created_at": now_ms(),
                    }
                    new.append(row)
                    ids.append(str(row["id"]))
                    if external is not None:
                        known[external] = ids[-1]
                else:
                    ids.append(known[external])
            if new:
                await db.execute(insert(customers), new)
        return ids

    async def import_agents(self, people: Sequence[dict[str, Any]]) -> list[str]:
        """Ids of the agents with these `{name?, email?}`; the same email (or name) is the same agent."""
        async with write(self.engine) as db:
            await lock_tables(db, agents)
            emails = [_import_email(one) for one in people]
            rows = await db.execute(select(agents.c.email, agents.c.id).where(agents.c.email.in_(set(emails))))
            known: dict[str, str] = dict(rows.all())
            new = {}
            for one, email in zip(people, emails, strict=True):
                if email not in known and email not in new:
                    new[email] = {
                        "id": new_id(),
                        "email": email,
                        "name": one.get("name") or email,
                        "role": "agent",
                        "password_hash": None,
                        "status": "offline",
                        "capacity": 0,
                        "created_at": now_ms(),
                    }
            if new:
                await db.execute(insert(agents), list(new.values()))
            known |= {email: str(row["id"]) for email, row in new.items()}
        return [known[email] for email in emails]


def _import_email(one: dict[str, Any]) -> str:
    """`.invalid` (RFC 2606) can never be somebody's address."""
    email = str(one.get("email") or "").strip().lower()
    return email or f"{str(one.get('name') or 'unknown').strip().lower().replace(' ', '.')}@imported.invalid"


_OWN = select(agent_departments.c.department).where(agent_departments.c.agent_id == agents.c.id)
_STAFF = (
    select(agents.c.id, agents.c.role, agents.c.name, departments.c.id, departments.c.name)
    .select_from(agents.outerjoin(departments, (agents.c.role != "agent") | departments.c.id.in_(_OWN)))
    .where(agents.c.id.in_(bindparam("ids", expanding=True)), agents.c.disabled_at.is_(None))
    .order_by(agents.c.id, departments.c.name)
)


def _agent_by(condition: Any) -> Any:
    return select(agents).where(condition, agents.c.disabled_at.is_(None))
