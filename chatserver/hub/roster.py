"""Which connections this process has: by device, by sign-in, by agent.

A device has one connection in the whole installation: a newer one ends the older, wherever that is. What processes
have to tell each other for this goes over one channel, whose order decides which of two is the newer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from chatserver.broker.control import DeviceMoved, Message, PersonEnded, SessionEnded, heard, publishing
from chatserver.broker.keys import CONTROL
from chatserver.broker.link import Link
from chatserver.hub.connection import Connection
from chatserver.wire import close_codes


class Roster:
    """The connections that have said hello. `on_staff` is called when an agent's first has come, or the last gone."""

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self.staff: Counter[str] = Counter()  # how many connections each agent has here
        self.on_staff: Callable[[], None] = lambda: None
        self.on_removed: Callable[[Connection], None] = lambda connection: None
        self._devices: dict[tuple[str, str], Connection] = {}
        self._sessions: dict[str, set[Connection]] = {}

    def start(self, link: Link) -> None:
        """Begins to hear from the other processes."""
        self._link = link
        link.subscribe(CONTROL)

    def add(self, connection: Connection) -> None:
        """A connection has said hello; the same device's older one ends."""
        person, device = connection.person, connection.device
        if older := self._devices.get((person.id, device)):
            self._supersede(older)
        self._devices[person.id, device] = connection
        self.connections.add(connection)
        self._sessions.setdefault(person.session, set()).add(connection)
        if person.staff:
            self._count_staff(person.id, 1)
        self._publish(DeviceMoved(person.id, device, connection.id))

    def remove(self, connection: Connection) -> None:
        """The connection is gone."""
        if connection not in self.connections:
            return
        connection.open = False
        self.connections.discard(connection)
        person = connection.person
        if person.staff:
            self._count_staff(person.id, -1)
        if self._devices.get((person.id, connection.device)) is connection:
            del self._devices[person.id, connection.device]
        mates = self._sessions.get(person.session)
        if mates:
            mates.discard(connection)
            if not mates:
                del self._sessions[person.session]
        self.on_removed(connection)

    def end_session(self, session: str) -> None:
        """Somebody has signed out: the connections of that sign-in end, in every process."""
        self._publish(SessionEnded(session))

    # -- what the processes tell each other

    def heard(self, payload: bytes) -> None:
        """A message of a process, perhaps of this one."""
        message = heard(payload)
        if isinstance(message, SessionEnded):
            self._sign_out(self._sessions.get(message.session, ()))
        elif isinstance(message, PersonEnded):
            self._sign_out(one for one in self.connections if one.person.id == message.person)
        elif isinstance(message, DeviceMoved):
            self._device_moved(message)

    def hears_again(self) -> None:
        """The subscription was renewed: what was announced before is older than whatever comes now."""
        for connection in self.connections:
            connection.announced = True

    def _sign_out(self, connections: Iterable[Connection]) -> None:
        for connection in list(connections):
            connection.close(close_codes.UNAUTHENTICATED, "signed out")
            self.remove(connection)

    def _device_moved(self, message: DeviceMoved) -> None:
        ours = self._devices.get((message.person, message.device))
        if ours is None:
            return
        if ours.id == message.connection:
            ours.announced = True
        elif ours.announced:
            self._supersede(ours)
        # Otherwise ours is the newer: its own announcement comes after this one, and ends the other.

    def _supersede(self, older: Connection) -> None:
        older.close(close_codes.SUPERSEDED, "this device opened a newer connection")
        self.remove(older)

    def _publish(self, message: Message) -> None:
        self._link.send(publishing(message))

    def _count_staff(self, agent_id: str, change: int) -> None:
        before = self.staff[agent_id]
        self.staff[agent_id] = before + change
        if not self.staff[agent_id]:
            del self.staff[agent_id]
        if not before or not before + change:
            self.on_staff()
