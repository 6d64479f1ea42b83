"""Endpoints objects of Services, as the endpoints controller makes them (v1.36, ``RepackSubsets``).

Kubernetes orders subsets and ports by a hash with the pods' uids in it; here they come by address and by port.
"""

from collections.abc import Iterable

from clusterdns.cluster.addresses import address_text, family
from clusterdns.cluster.model import TERMINATING, Endpoint, EndpointSlice, Port, Published
from clusterdns.views.objects import old_address
from clusterdns.views.trees import Tree

_MANAGED_BY = "endpoints.kubernetes.io/managed-by"
_HEADLESS = "service.kubernetes.io/headless"


def made_endpoints(published: Published) -> Tree:
    """The Endpoints of a Service from its slices: those of its first family, without the terminating."""
    service = published.service
    labels = dict(service.labels)
    if service.selector:
        labels |= {_MANAGED_BY: "endpoint-controller"} | ({_HEADLESS: ""} if service.headless else {})
    metadata: Tree = {"name": service.key.name, "namespace": service.key.namespace}
    if labels:
        metadata["labels"] = labels
    subsets = _subsets(published)
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata} | ({"subsets": subsets} if subsets else {})


def _subsets(published: Published) -> list[Tree]:
    """Addresses that share all their ports share a subset."""
    holders: dict[Port | None, dict[tuple[str, str], Endpoint]] = {}
    for piece in published.slices:
        for endpoint in _listed(published, piece):
            for port in piece.ports or (None,):
                own = holders.setdefault(port, {})
                name = (address_text(endpoint.address), endpoint.target)
                if name not in own or not endpoint.ready:  # not ready always trumps ready
                    own[name] = endpoint
    groups: dict[tuple[tuple[str, str, bool], ...], list[Port | None]] = {}
    for port, own in holders.items():
        shared = tuple((*name, own[name].ready) for name in sorted(own))
        groups.setdefault(shared, []).append(port)
    namespace = published.service.key.namespace
    return [
        _subset([own[name] for name in sorted(own)], ports, namespace)
        for _, ports in sorted(groups.items(), key=lambda group: group[0])
        for own in (holders[ports[0]],)
    ]


def _listed(published: Published, piece: EndpointSlice) -> Iterable[Endpoint]:
    service = published.service
    version = service.ip_families[0] if service.ip_families else 0
    for endpoint in piece.endpoints:
        if version and service.selector and family(endpoint.address) != version:
            continue
        if service.publish_not_ready or not endpoint.conditions & TERMINATING:
            yield endpoint


def _subset(endpoints: list[Endpoint], ports: list[Port | None], namespace: str) -> Tree:
    subset: Tree = {}
    for name, ready in (("addresses", True), ("notReadyAddresses", False)):
        if found := [old_address(one, namespace) for one in endpoints if one.ready is ready]:
            subset[name] = found
    if shown := sorted((port for port in ports if port), key=lambda port: (port.number, port.protocol, port.name)):
        subset["ports"] = [
            ({"name": port.name} if port.name else {}) | {"port": port.number, "protocol": port.protocol.upper()}
            for port in shown
        ]
    return subset
