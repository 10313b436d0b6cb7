"""Close codes of our own (docs/protocol.md): 40xx reconnect and resume, 44xx stop."""

DRAIN = 4001
SLOW = 4002
STATE_LOST = 4003
NO_PONG = 4004
UNAVAILABLE = 4005
NO_HELLO = 4008
BAD_FRAME = 4400
UNAUTHENTICATED = 4401
FORBIDDEN = 4403
SUPERSEDED = 4409
ABUSE = 4429


def cut_reason(reason: str) -> bytes:
    """As much of it as a close frame takes, in whole characters."""
    # A control frame has 125 bytes, and the code two of them.
    return reason.encode()[:123].decode(errors="ignore").encode()
