"""What other settings come to: which of them differ, and whether another world is needed."""

from collections.abc import Mapping, Sequence

from msgspec.structs import asdict

from clusterdns.config import Settings

# What can change without another world: addresses of ours, and how to end.
_OUTSIDE = (
    *("listen", "http", "http_token", "metrics_deprecated", "lameduck", "max_staleness"),
    *("tcp_connections", "tcp_per_client"),
    *("query_log", "query_log_format", "query_log_sample", "query_log_rate"),
)


def inside(settings: Settings, hosts: Sequence[str]) -> Mapping[str, object]:
    """What another world is needed for when it changes.

    *hosts*: the addresses that are listened on, from which those of the zones' name server may follow.
    """
    found: dict[str, object] = {name: value for name, value in asdict(settings).items() if name not in _OUTSIDE}
    return found if settings.ns_addresses else found | {"ns_addresses": hosts}


def differences(before: Settings, after: Settings) -> list[str]:
    """The names of those that differ."""
    old, new = asdict(before), asdict(after)
    return [name for name in new if old[name] != new[name]]
