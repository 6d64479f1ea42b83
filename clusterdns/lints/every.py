"""All lints."""

from collections.abc import Iterator

from clusterdns.lints.aliases import aliases
from clusterdns.lints.endpoints import endpoints
from clusterdns.lints.namespaces import namespaces
from clusterdns.lints.pods import pods
from clusterdns.lints.ports import ports
from clusterdns.lints.scene import Finding, Scene
from clusterdns.lints.selecting import selecting
from clusterdns.lints.workloads import workloads

_LINTS = (selecting, ports, aliases, pods, endpoints, workloads, namespaces)


def findings(scene: Scene) -> Iterator[Finding]:
    """In the order of the rules; ``check`` sorts what it tells by place."""
    for lint in _LINTS:
        yield from lint(scene)
