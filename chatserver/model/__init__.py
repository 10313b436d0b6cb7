"""Rules only: no asyncio, no Redis, no SQL."""
