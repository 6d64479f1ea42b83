"""Stand-in pods: what a workload's controller would run, for manifests that hold no pods."""

from collections.abc import Iterator

from clusterdns.cluster.addresses import family
from clusterdns.cluster.labels import Selector, equals
from clusterdns.cluster.model import Key, Pod, Workload, subject
from clusterdns.controllers.allocate import stable_hash

MAX_STAND_INS = 1000  # of one workload: a slip in ``replicas`` must not eat the memory or the range

# What Kubernetes names pods with: no vowels, so no words, and no 0, 1 or 3 (apimachinery, util/rand).
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
# The first of the five at the end tells the kinds apart, and a letter tells them from ordinals: no two workloads of a
# namespace, whatever their names, have stand-ins of the same name.
_FIRST = {"Deployment": "bcdfgh", "ReplicaSet": "jklmnp", "DaemonSet": "qrstvw"}


def selector_of(workload: Workload) -> Selector:
    """Which pods are its own; without a selector the template's labels say so, as in the APIs before apps/v1."""
    return workload.selector or equals(workload.pod_labels)


def runs_pods(workload: Workload) -> bool:
    """A ReplicaSet with a controller, as in a dump, does not count: the Deployment beside it does."""
    return not (workload.kind == "ReplicaSet" and workload.controlled)


def replicas_of(workload: Workload) -> int:
    """How many stand-ins it would get: one for a DaemonSet, whose nodes no manifest tells."""
    return 1 if workload.kind == "DaemonSet" else max(0, min(workload.replicas, MAX_STAND_INS))


def pod_names(workload: Workload) -> list[Key]:
    """``web-0``, ``web-1`` of a StatefulSet, ``web-5d4f8c7b9d-x7k2p`` of a Deployment, ``web-x7k2p`` of others.

    They depend on kind, namespace, name and number only.  Unlike Kubernetes nothing is cut to 63 characters.
    """
    namespace, name = workload.key
    count = replicas_of(workload)
    if workload.kind == "StatefulSet":
        first = workload.first_ordinal
        return [Key(namespace, f"{name}-{ordinal}") for ordinal in range(first, first + count)]
    if workload.kind == "Deployment":
        name = f"{name}-{_letters(stable_hash('template', *workload.key), 10)}"
    suffixes: dict[str, None] = {}
    for number in range(count):
        attempt = 0
        while (suffix := _suffix(workload, number, attempt)) in suffixes:
            attempt += 1
        suffixes[suffix] = None
    return [Key(namespace, f"{name}-{suffix}") for suffix in suffixes]


def stand_in(workload: Workload, number: int, key: Key, addresses: tuple[bytes, ...]) -> Pod:
    """The *number*-th stand-in (from 0), Running and ready.  It has no place: it is written nowhere."""
    stateful = workload.kind == "StatefulSet"
    return Pod(
        key,
        labels=_ordinal_labels(workload, number, key) if stateful else workload.pod_labels,
        addresses=addresses,
        hostname=key.name if stateful else workload.hostname,
        subdomain=workload.service_name if stateful else workload.subdomain,
        phase="Running",
        ready=True,
        ports=workload.ports,
        stand_in=subject(workload),
    )


def _ordinal_labels(workload: Workload, number: int, key: Key) -> dict[str, str]:
    """A Service for one pod of a StatefulSet selects it by what its controller adds to the template."""
    ordinal = str(workload.first_ordinal + number)
    return workload.pod_labels | {
        "statefulset.kubernetes.io/pod-name": key.name,
        "apps.kubernetes.io/pod-index": ordinal,
    }


def annotated_addresses(workload: Workload, number: int) -> tuple[bytes, ...]:
    """Where its process really runs, if it says so: the *number*-th address of each family, in turns."""
    return tuple(_turns(workload, number))


def _turns(workload: Workload, number: int) -> Iterator[bytes]:
    for version in dict.fromkeys(map(family, workload.addresses)):
        own = [address for address in workload.addresses if family(address) == version]
        yield own[number % len(own)]


def _suffix(workload: Workload, number: int, attempt: int) -> str:
    value = stable_hash(workload.kind, *workload.key, str(number), str(attempt))
    first = _FIRST[workload.kind]
    return first[value % len(first)] + _letters(value // len(first), 4)


def _letters(value: int, count: int) -> str:
    letters = []
    for _ in range(count):
        value, at = divmod(value, len(_ALPHABET))
        letters.append(_ALPHABET[at])
    return "".join(letters)
