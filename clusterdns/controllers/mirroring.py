"""Endpoints -> EndpointSlices, as the endpointslicemirroring controller makes them (Kubernetes v1.36.3)."""

from clusterdns.cluster.addresses import family
from clusterdns.cluster.model import Endpoint, Endpoints, EndpointSlice, Port
from clusterdns.controllers.endpoints import made_slices

MAX_ADDRESSES = 1000  # of one subset, --mirroring-max-endpoints-per-subset; ready ones first


def mirror(endpoints: Endpoints) -> tuple[EndpointSlice, ...]:
    """One slice per address family and port set, in the order of their keys; () where *endpoints* asks for none.

    They belong to the Service of the same name.  The families are those of the addresses, whatever that Service says.
    """
    if not endpoints.mirrored:
        return ()
    groups: dict[tuple[int, tuple[Port, ...]], dict[Endpoint, None]] = {}
    for subset in endpoints.subsets:
        ready_first = sorted(subset.endpoints, key=lambda endpoint: not endpoint.ready)
        for endpoint in ready_first[:MAX_ADDRESSES]:
            groups.setdefault((family(endpoint.address), subset.ports), {})[endpoint] = None
    return made_slices(endpoints, {group: list(found) for group, found in groups.items()})
