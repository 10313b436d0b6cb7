"""Secrets on their way, in Redis under their digest: passes, sign-ins, the set-up link, tries at access codes. All of
them end by themselves.
"""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from chatserver.broker.keys import secret
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
_TAKE = """
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

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._take = redis.register_script(_TAKE)

    async def new_pass(self, holder: PassHolder) -> str:
        """Opens one connection within 30 s."""
        token = new_token("p_")
        await self._set("pass", token, _encode(holder), PASS_SECONDS)
        return token

    async def use_pass(self, token: str) -> PassHolder | None:
        """Who it is for; it does not work again."""
        try:
            found = await self._redis.getdel(secret("pass", digest(token)))
        except RedisError as exc:
            raise UnavailableError(retry_after_ms=1_000) from exc
        return _decode(_raw(found)) if found else None

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
            try:
                found = await self._redis.getex(key, ex=SESSION_SECONDS)
            except ResponseError:
                found = await self._redis.get(key)  # it may not write just now: who is signed in reads all the same
        except RedisError as exc:
            raise UnavailableError(retry_after_ms=1_000) from exc
        return _text(found) if found else None

    async def end_session(self, token: str) -> None:
        """Log-out."""
        try:
            await self._redis.delete(secret("session", digest(token)))
        except RedisError as exc:
            raise UnavailableError(retry_after_ms=1_000) from exc

    async def new_setup(self) -> str:
        """The secret of the first admin's link; an earlier link ends."""
        token = new_token("setup_")
        try:
            await self._redis.set(secret("setup", "link"), digest(token), ex=SETUP_SECONDS)
        except RedisError as exc:
            raise UnavailableError from exc
        return token

    async def is_setup(self, token: str) -> bool:
        """Whether this is the secret of the link."""
        try:
            found = await self._redis.get(secret("setup", "link"))
        except RedisError as exc:
            raise UnavailableError(retry_after_ms=1_000) from exc
        return found is not None and _text(found) == digest(token)

    async def end_setup(self) -> None:
        """The link has been used."""
        try:
            await self._redis.delete(secret("setup", "link"))
        except RedisError as exc:
            raise UnavailableError from exc

    async def revoke(self, token_id: str) -> None:
        """Ends a signed token before its time."""
        await self._set("revoked", token_id, b"1", REVOKED_SECONDS)

    async def is_revoked(self, token_id: str) -> bool:
        """Whether a signed token was ended."""
        try:
            return bool(await self._redis.exists(secret("revoked", digest(token_id))))
        except RedisError as exc:
            raise UnavailableError(retry_after_ms=1_000) from exc

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
        try:
            wait = await self._take(
                keys=[secret("tries", digest(name)) for name, _, _ in counters],
                args=[part for _, limit, seconds in counters for part in (limit, seconds)],
            )
        except RedisError as exc:
            raise UnavailableError(retry_after_ms=1_000) from exc
        if wait:
            raise RateLimitedError(retry_after_ms=int(wait) * 1000)

    async def _give_back(self, *counters: tuple[str, int, int]) -> None:
        try:
            for name, _, _ in counters:
                await self._redis.decr(secret("tries", digest(name)))
        except RedisError as exc:
            raise UnavailableError(retry_after_ms=1_000) from exc

    async def _set(self, kind: str, token: str, value: bytes, seconds: int) -> None:
        try:
            await self._redis.set(secret(kind, digest(token)), value, ex=seconds)
        except RedisError as exc:
            raise UnavailableError(retry_after_ms=1_000) from exc


def _tries(what: str, name: str, address: str, limit: int) -> tuple[tuple[str, int, int], ...]:
    return (f"{what}:{name}:{address}", limit, TRIES_SECONDS), (f"{what}:{name}", TRIES_PER_DAY, 86_400)


def _raw(value: bytes | str) -> bytes:
    """redis-py's types leave open which it is; our client never decodes."""
    return value if isinstance(value, bytes) else value.encode()


def _text(value: bytes | str) -> str:
    return _raw(value).decode()
