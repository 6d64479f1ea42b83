"""Times as kubectl says them (apimachinery v0.36, ``util/duration``)."""

from datetime import UTC, datetime

UNKNOWN = "<unknown>"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def age(timestamp: object, now: float) -> str:
    """*timestamp*: RFC 3339, as objects have it; *now*: Unix seconds."""
    then = parse_time(timestamp)
    return UNKNOWN if then is None else human_duration(now - then.timestamp())


def parse_time(timestamp: object) -> datetime | None:
    """None for what is no time."""
    try:
        found = datetime.fromisoformat(str(timestamp))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def rfc1123(timestamp: object) -> str:
    """``Thu, 15 Jan 2026 10:00:00 +0000``; Go's zero time for none."""
    found = parse_time(timestamp)
    return found.strftime("%a, %d %b %Y %H:%M:%S %z") if found else "Mon, 01 Jan 0001 00:00:00 +0000"


def human_duration(seconds: float) -> str:
    """Two or three significant figures: ``119s``, ``3m5s``, ``47h``, ``5d3h``, ``2y30d``.

    Clocks differ a little: two seconds into the future are now.
    """
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(whole, 0)
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 10 * _MINUTE:
        return _two(whole, _MINUTE, "m", 1, "s")
    if whole < 3 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < 8 * _HOUR:
        return _two(whole, _HOUR, "h", _MINUTE, "m")
    if whole < 48 * _HOUR:
        return f"{whole // _HOUR}h"
    if whole < 8 * _DAY:
        return _two(whole, _DAY, "d", _HOUR, "h")
    if whole < 2 * 365 * _DAY:
        return f"{whole // _DAY}d"
    if whole < 8 * 365 * _DAY:
        return _two(whole, 365 * _DAY, "y", _DAY, "d")
    return f"{whole // (365 * _DAY)}y"


def _two(seconds: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    rest = seconds % large // small
    return f"{seconds // large}{large_unit}" + (f"{rest}{small_unit}" if rest else "")
