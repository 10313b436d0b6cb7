"""The beginning of a connection: who says hello, and what the welcome tells them."""

from __future__ import annotations

from typing import Any

from chatserver.clock import now_ms
from chatserver.errors import UnauthenticatedError
from chatserver.hub.connection import Connection
from chatserver.hub.hub import CHATS_PER_AGENT, CHATS_PER_CUSTOMER
from chatserver.model.person import Person
from chatserver.web.services import Services
from chatserver.wire.codec import MAX_FRAME_BYTES
from chatserver.wire.commands import Hello
from chatserver.wire.frames import Welcome

RESUME_SECONDS = 24 * 3600


class Greeting:
    """Checks a hello. Afterwards `person` and `site` say for whom the connection is."""

    def __init__(self, services: Services, person: Person, site: str) -> None:
        self._services = services
        self.person, self.site = person, site

    @classmethod
    async def of(cls, services: Services, hello: Hello) -> Greeting:
        """Whom the pass or the resume token stands for.

        Raises:
            UnauthenticatedError: neither is valid.
            UnavailableError: Redis or the database do not answer.
        """
        if hello.pass_:
            holder = await services.secrets.use_pass(hello.pass_)
            if holder is None:
                raise UnauthenticatedError("The pass is not valid, or no longer.")
            sub, role, session, site = holder.person_id, holder.role, holder.session, holder.site
        else:
            token = services.signer.check("resume", hello.resume_token)
            if token is None or token["device"] != hello.device:
                raise UnauthenticatedError("The resume token is not valid, or no longer.")
            sub, role, session, site = token["sub"], token["role"], token["session"], token["site"]
        return cls(services, await _person(services, sub, role, session), site)

    @property
    def most_chats(self) -> int:
        """To how many chats the connection may be attached."""
        return CHATS_PER_AGENT if self.person.staff else CHATS_PER_CUSTOMER

    def welcome(self, hello: Hello, connection: Connection, chats: list[Any]) -> Welcome:
        """The answer; `chats` are the pages of the chats that it names."""
        return Welcome(
            id=hello.id,
            connection=connection.id,
            now=now_ms(),
            person=_shown(self.person),
            limits={
                "frame_bytes": MAX_FRAME_BYTES,
                "text_chars": 4096,
                "in_flight": 16,
                "chats": self.most_chats,
                "page_entries": 200,
            },
            ping_every=self._services.hub.heartbeat.seconds * 1000,
            resume_token=self._resume_token(hello.device),
            chats=chats,
        )

    def _resume_token(self, device: str) -> str:
        person = self.person
        role = "staff" if person.staff else "customer"
        fields = {"sub": person.id, "role": role, "device": device, "session": person.session, "site": self.site}
        return self._services.signer.sign("resume", fields, seconds=RESUME_SECONDS)


async def _person(services: Services, sub: str, role: str, session: str) -> Person:
    if role == "customer":
        if await services.secrets.is_revoked(session, sub):
            raise UnauthenticatedError("Signed out.")
        return Person(sub, "customer", session=session)
    if await services.secrets.session_by_digest(session) != sub:
        raise UnauthenticatedError("Signed out.")
    agent = await services.directory.agent(sub)
    if agent is None:
        raise UnauthenticatedError("This agent may no longer sign in.")
    return Person(agent.id, agent.role, agent.name, agent.departments, session)


def _shown(person: Person) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": person.id, "role": person.role}
    if person.name:
        shown["name"] = person.name
    if person.staff:
        shown["departments"] = [{"id": one.id, "name": one.name} for one in person.departments]
    return shown
