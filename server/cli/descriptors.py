"""How many files and connections the process may have open: the kernel's default is far below what it can."""

import sys

import structlog

log = structlog.get_logger(__name__)
ENOUGH = 2048


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open descriptors to the hard one, and return it; 0 where there is none."""
    if sys.platform == "win32":
        return 0
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # macOS takes no infinity
        log.info("descriptor limit not raised", limit=soft)
        hard = soft
    if hard != resource.RLIM_INFINITY and hard < ENOUGH:
        log.warning("few descriptors; raise the hard limit (ulimit -Hn) to serve many clients", limit=hard)
    return hard
