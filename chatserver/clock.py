"""The one place that asks the machine for the time of day.

Leases, deadlines and entries never use it: those use Redis' clock, and the order of entries is that of `seq`.
"""

import time


def now_ms() -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000
