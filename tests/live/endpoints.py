"""Endpoints that no controller made: slices written by hand, and Endpoints objects.

What our answers are meant to differ by (``deviations``) is given to a Service one at a time: so a difference has one
explanation.
"""

from random import Random
from typing import Any

from live.api import Manifest

SERVICE_NAME = "kubernetes.io/service-name"  # the label that says whose a slice is
_HOSTNAMES = ("db-0", "db-1", "shared", "10-1-2-3", "a", "x--y")
# Few enough that Services share them.  One that ends in "::" has a dashed label that would end in a dash.
_SHARED = {
    "IPv4": [f"203.0.113.{n}" for n in range(1, 25)],
    "IPv6": [*(f"2001:db8::{n:x}" for n in range(1, 20)), "2001:db8:1::", "2001:db8:0:1::"],
    "FQDN": ["backend.example.com"],
}
_PECULIARITIES = ("", "", "", "fqdn", "unnumbered", "dotted")
_CONDITIONS: tuple[dict[str, Any], ...] = (
    *({"ready": True}, {"ready": True}, {}, {"ready": True, "serving": True, "terminating": False}),
    *({"ready": False}, {"ready": False, "serving": True, "terminating": True}),
)
_PORTS: tuple[list[dict[str, Any]], ...] = (
    [{"name": "http", "port": 80, "protocol": "TCP"}],
    [{"name": "http", "port": 80, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP"}],
    [{"name": "m3ua", "port": 2905, "protocol": "SCTP"}, {"name": "", "port": 7, "protocol": "TCP"}],
    [{"port": 9000}],
)
# Without ports, and a port without a number: both mean every port.
_UNNUMBERED: tuple[list[dict[str, Any]], ...] = ([], [{"name": "all"}], *_PORTS[:2])


def hand_made_slices(rng: Random, service: Manifest) -> list[Manifest]:
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    labels = {SERVICE_NAME: name, **service["metadata"]["labels"]}
    if rng.random() < 0.2:
        labels.pop("show", None)
    # One that shows unready endpoints is peculiar enough.
    peculiarity = "" if _shows_unready(service) else rng.choice(_PECULIARITIES)
    addresses = _addresses(rng, alone=_shows_unready(service) or peculiarity == "dotted")
    found = []
    for number in range(rng.randint(1, 3)):
        family = rng.choice(("IPv4", "IPv6", "FQDN") if peculiarity == "fqdn" else ("IPv4", "IPv6"))
        metadata = {"name": f"{name[:40].rstrip('-')}-hand-{number}", "namespace": namespace, "labels": labels}
        endpoints = [_endpoint(rng, address, peculiarity) for address in _some(rng, addresses[family])]
        found.append(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": metadata,
                "addressType": family,
                "ports": rng.choice(_UNNUMBERED if peculiarity == "unnumbered" else _PORTS),
                "endpoints": endpoints,
            }
        )
    return found


def _shows_unready(service: Manifest) -> bool:
    return bool(service["spec"].get("publishNotReadyAddresses"))


def _addresses(rng: Random, *, alone: bool) -> dict[str, list[str]]:
    """By family.  *alone*: no other Service is likely to have them."""
    if not alone:
        return _SHARED
    net = rng.randrange(256)
    four, six = [f"198.18.{net}.{n}" for n in range(1, 9)], [f"2001:db8:{net + 16:x}::{n:x}" for n in range(1, 9)]
    return _SHARED | {"IPv4": four, "IPv6": six}


def _some(rng: Random, known: list[str]) -> list[str]:
    return rng.sample(known, min(len(known), rng.randint(0, 4)))


def _endpoint(rng: Random, address: str, peculiarity: str) -> dict[str, Any]:
    endpoint: dict[str, Any] = {"addresses": [address], "conditions": rng.choice(_CONDITIONS)}
    if rng.random() < 0.5:
        endpoint["hostname"] = rng.choice(_HOSTNAMES)
    if rng.random() < 0.3:
        name = "dotted.name" if peculiarity == "dotted" else rng.choice(("p-0", "db-9"))
        endpoint["targetRef"] = {"kind": "Pod", "name": name}
    return endpoint


def endpoints_object(rng: Random, service: Manifest) -> Manifest:
    """What the mirroring controller turns into slices."""
    metadata = {key: service["metadata"][key] for key in ("name", "namespace", "labels")}
    addresses = _addresses(rng, alone=_shows_unready(service))
    four, six = addresses["IPv4"], addresses["IPv6"]
    subsets = [
        {
            "addresses": [_mirrored(rng, address) for address in _some(rng, four[:-1]) + _some(rng, six)],
            "notReadyAddresses": [{"ip": four[-1]}],
            "ports": rng.choice(([{"name": "http", "port": 80}], [{"port": 5432}])),
        }
    ]
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets}


def _mirrored(rng: Random, address: str) -> dict[str, str]:
    return {"ip": address} | ({"hostname": rng.choice(_HOSTNAMES)} if rng.random() < 0.5 else {})
