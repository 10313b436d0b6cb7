"""How many files a process may have open: each connection is one, and the usual soft limit is 1,024, because `select`
takes no more. We do not use it.
"""

from __future__ import annotations

import contextlib
import resource
import sys

import structlog

FEW = 4096

log = structlog.get_logger()


def raise_limit(wanted: int = 0) -> int:
    """Sets the soft limit to the hard one, and both to what is wanted, where that is more and we may; the limit now."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard == resource.RLIM_INFINITY else max(hard, wanted)
    for limit in (most, hard):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            break
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def raise_limit_or_warn() -> None:
    """For a server: as many as the system lets us have, and a word to the operator when that is little."""
    limit = raise_limit()
    if limit < FEW:
        log.warning("files.few", limit=limit, enough_for=f"some {max(0, limit - 100):,} connections a process")
