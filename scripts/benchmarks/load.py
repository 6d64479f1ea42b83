"""What is served, and what is asked."""

import json
import struct

SERVICES = 10_000
NAMESPACES = 50
HEADLESS_EVERY = 10
ENDPOINTS = 3  # of a headless Service
DOMAIN = "cluster.local"
FOREIGN = ("www.example.com", "api.example.org", "registry.example.net")
LOADS = ("hits", "nodata", "nxdomain", "mix", "cookies")  # the last is the mix, from a client that sends its cookie
_BOTH = {"NOERROR", "NXDOMAIN"}
RCODES = {"hits": {"NOERROR"}, "nodata": {"NOERROR"}, "nxdomain": {"NXDOMAIN"}, "mix": _BOTH, "cookies": _BOTH}
_STEP = 7919  # coprime to SERVICES: visits all of them, far from one to the next

Question = tuple[str, str]  # name, type
Expected = tuple[int, bool]  # rcode, "has an answer"


def manifests() -> bytes:
    """One List: ClusterIP Services with two ports, each tenth headless with endpoints that have host names."""
    items: list[object] = []
    for number in range(SERVICES):
        headless = number % HEADLESS_EVERY == 0
        items.append(_service(number, headless=headless))
        if headless:
            items.append(_slice(number))
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()


def questions(load: str) -> list[Question]:
    """In an order in which neighbours have nothing to do with each other."""
    if load in ("mix", "cookies"):
        thirds = zip(*(questions(each) for each in LOADS[:3]), strict=True)
        return [question for third in thirds for question in third]
    numbers = [number * _STEP % SERVICES for number in range(SERVICES)]
    clustered = [number for number in numbers if number % HEADLESS_EVERY]
    if load == "nxdomain":
        return [(_expanded(number), "A") for number in clustered]
    return [(_fqdn(number), "A" if load == "hits" else "AAAA") for number in clustered]


def probes() -> list[tuple[Question, Expected]]:
    """One question per load, and what a server that serves the zone says."""
    expected = {"hits": (0, True), "nodata": (0, False), "nxdomain": (3, False)}
    return [(questions(load)[-1], answer) for load, answer in expected.items()]


def packet(question: Question) -> bytes:
    """A query with EDNS, as dnsperf sends it."""
    name, rtype = question
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    number = {"A": 1, "AAAA": 28}[rtype]
    head = struct.pack("!HHHHHH", 1, 0x0100, 1, 0, 0, 1)
    return head + labels + b"\0" + struct.pack("!HH", number, 1) + b"\0" + struct.pack("!HHIH", 41, 4096, 0, 0)


def meets(response: bytes, expected: Expected) -> bool:
    if len(response) < 12:
        return False
    flags, _, answers = struct.unpack_from("!HHH", response, 2)
    return (flags & 0xF, answers > 0) == expected


def _fqdn(number: int) -> str:
    return f"svc-{number}.ns-{number % NAMESPACES}.svc.{DOMAIN}."


def _expanded(number: int) -> str:
    """What a pod's search path (``ndots:5``) makes of full names: of ours, and of names outside the cluster."""
    kind, namespace = number // HEADLESS_EVERY % 6, f"ns-{number % NAMESPACES}"
    suffix = (f"{namespace}.svc.{DOMAIN}.", f"svc.{DOMAIN}.", f"{DOMAIN}.")[kind % 3]
    return (_fqdn(number) if kind < 3 else f"{FOREIGN[number % 3]}.") + suffix


def _metadata(number: int) -> dict[str, object]:
    return {"name": f"svc-{number}", "namespace": f"ns-{number % NAMESPACES}"}


def _service(number: int, *, headless: bool) -> dict[str, object]:
    address = "None" if headless else f"10.100.{number // 250}.{number % 250 + 1}"
    ports = [
        {"name": "http", "port": 80, "protocol": "TCP"},
        {"name": "metrics", "port": 9100, "protocol": "TCP"},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(number),
        "spec": {"clusterIP": address, "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "ports": ports},
    }


def _slice(number: int) -> dict[str, object]:
    labels = {"kubernetes.io/service-name": f"svc-{number}"}
    at = number // HEADLESS_EVERY * ENDPOINTS
    addresses = [f"10.244.{each // 250}.{each % 250 + 1}" for each in range(at, at + ENDPOINTS)]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**_metadata(number), "labels": labels},
        "addressType": "IPv4",
        "ports": [
            {"name": "http", "port": 8080, "protocol": "TCP"},
            {"name": "metrics", "port": 9100, "protocol": "TCP"},
        ],
        "endpoints": [
            {"addresses": [address], "hostname": f"pod-{place}", "conditions": {"ready": True}}
            for place, address in enumerate(addresses)
        ],
    }
