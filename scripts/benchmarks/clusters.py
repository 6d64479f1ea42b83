"""Large clusters as manifests, in generations of which each changes every Service."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

NAMESPACES = 100
NODES = 500
HEADLESS_EVERY = 20
PODS_PER_SELECTOR = 10
_CONTROLLER = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}

Item = dict[str, object]


@dataclass(frozen=True, slots=True)
class Size:
    services: int = 10_000
    endpoints: int = 15  # of each Service
    selectors: int = 2_000


def dumped(size: Size, generation: int = 0) -> Iterator[Item]:
    """Services and their EndpointSlices as ``kubectl get -o json`` shows them, one in HEADLESS_EVERY headless.

    Another *generation* has other addresses and another port everywhere.
    """
    for number in range(size.services):
        yield _service(number, generation, {})
    for number in range(size.services):
        yield _slice(number, size, generation)


def selecting(size: Size) -> Iterator[Item]:
    """Services with selectors, and ten Pods for each."""
    for number in range(size.selectors):
        yield _service(number, 0, {"app": f"svc-{number}"})
        for place in range(PODS_PER_SELECTOR):
            yield _pod(number, place)


def is_headless(number: int) -> bool:
    return number % HEADLESS_EVERY == 0


def name(number: int) -> str:
    return f"svc-{number}.ns-{number % NAMESPACES}.svc.cluster.local"


def addresses(number: int, size: Size, generation: int) -> frozenset[str]:
    """What a question for A gets."""
    if not is_headless(number):
        return frozenset((_cluster_ip(number, generation),))
    return frozenset(_pod_ip(number, place, size, generation) for place in range(size.endpoints))


def write_list(path: Path, items: Iterator[Item]) -> None:
    """One JSON List, indented by one space: 62 MB for 150,000 endpoints.  Renamed into place."""
    with path.with_suffix(".new").open("w") as file:
        file.write('{\n "apiVersion": "v1",\n "kind": "List",\n "items": [\n')
        for count, item in enumerate(items):
            file.write(",\n" * bool(count) + json.dumps(item, indent=1))
        file.write("\n ]\n}\n")
    path.with_suffix(".new").rename(path)


def write_files(folder: Path, items: Iterator[Item], files: int, total: int) -> None:
    for number in range(files):
        write_list(folder / f"{number:03}.json", islice(items, total // files))


def write_yaml(folder: Path, items: Iterator[Item], files: int, total: int) -> None:
    """Block style, as people write it: a file above 16 MiB would not be read."""
    for number in range(files):
        text = "".join(f"---\n{''.join(_block(item, 0))}" for item in islice(items, total // files))
        (folder / f"{number:03}.yaml").write_text(text)


def _block(value: object, depth: int) -> Iterator[str]:
    """Lines of YAML for mappings and lists of our own."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        if isinstance(inner, dict | list):
            yield f"{'  ' * depth}{key}:\n"
            yield from _block(inner, depth + 1)
        else:
            yield f"{'  ' * depth}{key}: {json.dumps(inner)}\n"
    for inner in value if isinstance(value, list) else ():
        lines = list(_block(inner, depth + 1)) if isinstance(inner, dict) else [f"  {json.dumps(inner)}\n"]
        indent = "  " * (depth + isinstance(inner, dict))
        yield f"{'  ' * depth}- {lines[0].removeprefix(indent).lstrip()}"
        yield from lines[1:]


def _metadata(number: int, suffix: str = "", **labels: str) -> Item:
    return {"name": f"svc-{number}{suffix}", "namespace": f"ns-{number % NAMESPACES}", "labels": labels}


def _octets(number: int) -> str:
    return f"{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _cluster_ip(number: int, generation: int) -> str:
    return f"10.{_octets((96 << 16) + (1 << 17) * (generation % 2) + number + 2)}"


def _pod_ip(number: int, place: int, size: Size, generation: int) -> str:
    at = number * size.endpoints + place + 1
    return f"10.{_octets((128 << 16) + (1 << 22) * (generation % 2) + at)}"


def _service(number: int, generation: int, selector: dict[str, str]) -> Item:
    port = {"name": "http", "port": 80 + generation, "protocol": "TCP", "targetPort": 8080}
    spec: Item = {"clusterIP": "None" if is_headless(number) else _cluster_ip(number, generation), "ports": [port]}
    spec["selector"] = selector or {"app": f"svc-{number}"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(number), "spec": spec}


def _slice(number: int, size: Size, generation: int) -> Item:
    labels = {"kubernetes.io/service-name": f"svc-{number}", **_CONTROLLER}
    endpoints = []
    for place in range(size.endpoints):
        target = {
            "kind": "Pod",
            "name": f"svc-{number}-7d9f8b6c5d-{place:05}",
            "namespace": f"ns-{number % NAMESPACES}",
        }
        endpoints.append(
            {
                "addresses": [_pod_ip(number, place, size, generation)],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": f"node-{(number + place) % NODES}",
                "targetRef": {**target, "uid": f"00000000-0000-0000-0000-{number * size.endpoints + place:012}"},
            }
        )
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "addressType": "IPv4",
        "metadata": _metadata(number, "-abc12", **labels),
        "endpoints": endpoints,
        "ports": [{"name": "http", "port": 8080 + generation, "protocol": "TCP"}],
    }


def _pod(number: int, place: int) -> Item:
    metadata = _metadata(number, f"-7d9f8b6c5d-{place:05}", app=f"svc-{number}", tier=f"tier-{number % 5}")
    container = {"name": "web", "image": "web:1", "ports": [{"name": "http", "containerPort": 8080}]}
    address = _pod_ip(number, place, Size(), 0)
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    ready = {"type": "Ready", "status": "True"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": f"node-{number % NODES}", "containers": [container]},
        "status": {**status, "conditions": [ready]},
    }


Writer = Callable[[Path, Size], None]


def as_list(folder: Path, size: Size) -> None:
    write_list(folder / "dump.json", dumped(size))


def as_files(folder: Path, size: Size) -> None:
    write_files(folder, dumped(size), 100, 2 * size.services)


def as_yaml(folder: Path, size: Size) -> None:
    write_yaml(folder, dumped(size), 100, 2 * size.services)


def as_pods(folder: Path, size: Size) -> None:
    write_list(folder / "pods.json", selecting(size))
