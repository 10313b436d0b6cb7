"""Secrets on their way, in Redis under their digest: passes, sign-ins, the set-up link, tries at access codes. All of
them end by themselves.
"""

from __future__ import annotations

import msgspec

from chatserver.broker.keys import secret
from chatserver.broker.link import Link
from chatserver.errors import RateLimitedError, UnavailableError
from chatserver.ids import digest, new_token

PASS_SECONDS = 30
SESSION_SECONDS = 12 * 3600
SETUP_SECONDS = 15 * 60
REVOKED_SECONDS = 400 * 86_400  # as long as the longest-lived token (a customer's, a year)
TRIES, TRIES_SECONDS = 5, 15 * 60
TRIES_PER_DAY = 100
SIGN_IN_TRIES = 10
OPENS, OPENS_SECONDS = 60, 600

# Takes a try from each counter unless one of them is used up.
# KEYS counters   ARGV limit seconds a counter   -> 0 | seconds to wait
_TAKE = b"""
for i, key in ipairs(KEYS) do
  local taken = tonumber(redis.call('GET', key) or 0)
  if taken >= tonumber(ARGV[2 * i - 1]) then return math.max(redis.call('TTL', key), 1) end
end
for i, key in ipairs(KEYS) do
  if redis.call('INCR', key) == 1 then redis.call('EXPIRE', key, ARGV[2 * i]) end
end
return 0
"""


class PassHolder(msgspec.Struct, frozen=True):
    """For whom a pass opens a connection."""

    person_id: str
    role: str
    session: str
    site: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(PassHolder).decode


class Secrets:
    """Short-lived secrets; only digests are stored.

    Raises (all methods):
        UnavailableError: Redis does not answer.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def new_pass(self, holder: PassHolder) -> str:
        """Opens one connection within 30 s."""
        token = new_token("p_")
        await self._set("pass", token, _encode(holder), PASS_SECONDS)
        return token

    async def use_pass(self, token: str) -> PassHolder | None:
        """Who it is for; it does not work again."""
        found = await self._link.call(b"GETDEL", secret("pass", digest(token)))
        return _decode(found) if found else None

    async def new_session(self, agent_id: str) -> str:
        """A signed-in agent's cookie."""
        token = new_token("s_", 32)
        await self._set("session", token, agent_id.encode(), SESSION_SECONDS)
        return token

    async def session(self, token: str) -> str | None:
        """The agent of a cookie; using it keeps it alive."""
        return await self.session_by_digest(digest(token))

    async def session_by_digest(self, name: str) -> str | None:
        """The agent of a sign-in."""
        key = secret("session", name)
        try:
            found = await self._link.call(b"GETEX", key, b"EX", SESSION_SECONDS)
        except UnavailableError:
            found = await self._link.call(b"GET", key)  # it may not write just now: who is signed in reads all the same
        return found.decode() if found else None

    async def end_session(self, token: str) -> None:
        """Log-out."""
        await self._link.call(b"DEL", secret("session", digest(token)))

    async def new_setup(self) -> str:
        """The secret of the first admin's link; an earlier link ends."""
        token = new_token("setup_")
        await self._link.call(b"SET", secret("setup", "link"), digest(token), b"EX", SETUP_SECONDS)
        return token

    async def is_setup(self, token: str) -> bool:
        """Whether this is the secret of the link."""
        found = await self._link.call(b"GET", secret("setup", "link"))
        return bool(found == digest(token).encode())

    async def end_setup(self) -> None:
        """The link has been used."""
        await self._link.call(b"DEL", secret("setup", "link"))

    async def revoke(self, *names: str) -> None:
        """Ends signed tokens before their time: one by its id, or all of a person by theirs."""
        await self._link.calls([(b"SET", _revoked(name), 1, b"EX", REVOKED_SECONDS) for name in names])

    async def is_revoked(self, *names: str) -> bool:
        """Whether the token with one of these ids, or all of the person, were ended."""
        return bool(await self._link.call(b"EXISTS", *map(_revoked, names)))

    async def take_access_try(self, ticket: str, address: str) -> None:
        """Counts a try at an access code; a right one is given back.

        Raises:
            RateLimitedError: 5 tries in 15 min for this ticket and address prefix, or 100 in a day for the ticket.
        """
        await self._take_tries(*_tries("access", ticket, address, TRIES))

    async def give_back_access_try(self, ticket: str, address: str) -> None:
        """The try was right."""
        await self._give_back(*_tries("access", ticket, address, TRIES))

    async def take_sign_in_try(self, email: str, address: str) -> None:
        """Counts a try at a password; a right one is given back.

        Raises:
            RateLimitedError: 10 tries in 15 min for this email and address prefix, or 100 in a day for the email.
        """
        await self._take_tries(*_tries("sign-in", email, address, SIGN_IN_TRIES))

    async def give_back_sign_in_try(self, email: str, address: str) -> None:
        """The try was right."""
        await self._give_back(*_tries("sign-in", email, address, SIGN_IN_TRIES))

    async def take_open(self, customer_id: str) -> None:
        """Counts a chat that a customer opens.

        Raises:
            RateLimitedError: 60 in 10 min.
        """
        await self._take_tries((f"open:{customer_id}", OPENS, OPENS_SECONDS))

    async def take(self, name: str, address: str, *, limit: int, seconds: int) -> None:
        """Counts one of anything else that an address may do only so often.

        Raises:
            RateLimitedError: `limit` in `seconds`.
        """
        await self._take_tries((f"{name}:{address}", limit, seconds))

    async def _take_tries(self, *counters: tuple[str, int, int]) -> None:
        keys = [secret("tries", digest(name)) for name, _, _ in counters]
        limits = [part for _, limit, seconds in counters for part in (limit, seconds)]
        wait = await self._link.call(b"EVAL", _TAKE, len(keys), *keys, *limits)
        if wait:
            raise RateLimitedError(retry_after_ms=int(wait) * 1000)

    async def _give_back(self, *counters: tuple[str, int, int]) -> None:
        await self._link.calls([(b"DECR", secret("tries", digest(name))) for name, _, _ in counters])

    async def _set(self, kind: str, token: str, value: bytes, seconds: int) -> None:
        await self._link.call(b"SET", secret(kind, digest(token)), value, b"EX", seconds)


def _revoked(name: str) -> bytes:
    return secret("revoked", digest(name))


def _tries(what: str, name: str, address: str, limit: int) -> tuple[tuple[str, int, int], ...]:
    return (f"{what}:{name}:{address}", limit, TRIES_SECONDS), (f"{what}:{name}", TRIES_PER_DAY, 86_400)
