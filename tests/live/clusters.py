"""Clusters made up from a seed: the objects that a person, or many, might have created.

Equal seeds give equal objects.  Names and combinations are odd on purpose; everything is valid for an API server.
"""

from random import Random
from typing import Any, NamedTuple

from live.api import Manifest
from live.endpoints import SERVICE_NAME, endpoints_object, hand_made_slices

NODE = "node-1"
DOMAIN = "cluster.local"
_LONG = "a23456789-123456789-123456789-123456789-123456789-123456789-123"  # 63 octets, the most a label holds

# "svc" and "pod" are words of the schema, "tcp" and "http" of port names; the others look like something else.
NAMESPACES = ("shop", "a", "1st", "svc", "pod", "10-0-0-1", "x--y", _LONG)
QUIET = "quiet"  # has nothing in it
_SERVICE_NAMES = (
    *("web", "api", "db", "cache", "queue", "a", "svc", "pod", "dns", "ns", "tcp", "http", "x--y", "v1"),
    *("local", "cluster", "s10-0-0-1", "any", _LONG),
)
_PORT_NAMES = ("http", "https", "dns", "dns-tcp", "metrics", "a", "1st", "svc", _LONG, _LONG[:-1])
_PROTOCOLS = ("TCP", "TCP", "UDP", "SCTP")
_APPS = ("red", "green", "blue", "red", "green", "none")  # no pod is "none"
_FAMILIES: tuple[dict[str, Any], ...] = (
    {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"]},
    {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"]},
    {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]},
    {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]},
    {},
)


class Cluster(NamedTuple):
    """What is created, in this order."""

    namespaces: list[Manifest]
    services: list[Manifest]
    pods: list[Manifest]  # with their status
    leaving: list[Manifest]  # pods that are deleted afterwards, and stay as terminating
    endpoints: list[Manifest]  # Endpoints objects, which are mirrored
    slices: list[Manifest]  # made by hand


def cluster(seed: int) -> Cluster:
    rng = Random(seed)
    made = Cluster([], [], [], [], [], [])
    for name in (*NAMESPACES, QUIET):
        labels = {"tier": rng.choice(("gold", "silver"))}
        made.namespaces.append(manifest("v1", "Namespace", "", name, labels))
    for namespace in ("default", *NAMESPACES):
        for name in rng.sample(_SERVICE_NAMES, 11):
            service = _service(rng, namespace, name)
            made.services.append(service)
            _add_endpoints(rng, service, made)
        for number in range(6):
            _add_pod(rng, namespace, f"p-{number}", made)
    made.services.extend(_aliases(rng, made))
    return made


def manifest(version: str, kind: str, namespace: str, name: str, labels: dict[str, str] | None = None) -> Manifest:
    metadata: dict[str, Any] = {"name": name, "labels": labels or {}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _service(rng: Random, namespace: str, name: str) -> Manifest:
    made = manifest("v1", "Service", namespace, name, _labels(rng))
    headless = rng.random() < 0.5
    spec: dict[str, Any] = dict(rng.choice(_FAMILIES))
    ports = _ports(rng, at_least=0 if headless else 1)
    if ports:
        spec["ports"] = ports
    if headless:
        spec |= {"clusterIP": "None", "publishNotReadyAddresses": rng.random() < 0.25}
    else:
        spec["type"] = rng.choice(("ClusterIP", "ClusterIP", "NodePort", "LoadBalancer"))
        addresses = [_cluster_ip(rng, family) for family in spec.get("ipFamilies", ["IPv4"])]
        spec |= {"clusterIP": addresses[0], "clusterIPs": addresses}
    if rng.random() < 0.5:
        spec["selector"] = {"app": rng.choice(_APPS)}
    return made | {"spec": spec}


def _cluster_ip(rng: Random, family: str) -> str:
    """Chosen here, for an API server would choose others each time, and equal seeds ask equal questions."""
    if family == "IPv4":
        return f"10.{rng.randint(96, 111)}.{rng.randrange(256)}.{rng.randint(1, 254)}"
    return f"fd00:10:96::{rng.randint(1, 0xFFFF):x}"


def _labels(rng: Random) -> dict[str, str]:
    """What the option ``labels`` selects by."""
    return rng.choice(({}, {"show": "yes"}, {"show": "yes", "part": "front"}, {"show": "no"}))


def _ports(rng: Random, at_least: int) -> list[dict[str, Any]]:
    """Valid: names and (number, protocol) differ; more than one port and all have names."""
    names = rng.sample(_PORT_NAMES, rng.randint(at_least, 3))
    ports: dict[tuple[int, str], dict[str, Any]] = {}
    for name in names:
        number, protocol = rng.choice((53, 80, 443, 8080)), rng.choice(_PROTOCOLS)
        target: int | str = rng.choice((8080, 9090, "web"))
        ports[number, protocol] = {"name": name, "port": number, "protocol": protocol, "targetPort": target}
    if len(ports) == 1 and rng.random() < 0.4:
        for port in ports.values():
            del port["name"]
    return list(ports.values())


def _add_endpoints(rng: Random, service: Manifest, made: Cluster) -> None:
    """For a Service without selector: an Endpoints object, slices by hand, both or nothing."""
    if "selector" not in service["spec"]:
        if rng.random() < 0.3:
            made.endpoints.append(endpoints_object(rng, service))
        if rng.random() < 0.9:
            made.slices.extend(hand_made_slices(rng, service))
    elif rng.random() < 0.2:
        made.slices.extend(hand_made_slices(rng, service))


def _add_pod(rng: Random, namespace: str, name: str, made: Cluster) -> None:
    number = len(made.pods) + 1
    pod = manifest("v1", "Pod", namespace, name, {"app": rng.choice(_APPS[:-1])} | _labels(rng))
    container = {"name": "c", "image": "none", "ports": [{"name": "web", "containerPort": rng.choice((80, 8000))}]}
    pod["spec"] = {"nodeName": NODE, "containers": [container]}
    if rng.random() < 0.5:
        hostname = rng.choice((name, "shared", "db-0"))
        pod["spec"] |= {"hostname": hostname, "subdomain": rng.choice(_SERVICE_NAMES)}
    ready = "True" if rng.random() < 0.7 else "False"
    addresses = [f"10.244.1.{number}", f"fd00:10:244::{number:x}"]
    pod["status"] = {
        "phase": rng.choice(("Running",) * 8 + ("Succeeded", "Failed", "Pending")),
        "podIP": addresses[0],
        "podIPs": [{"ip": address} for address in addresses],
        "conditions": [{"type": "Ready", "status": ready}, {"type": "ContainersReady", "status": ready}],
    }
    made.pods.append(pod)
    if rng.random() < 0.15:
        made.leaving.append(pod)


def _aliases(rng: Random, made: Cluster) -> list[Manifest]:
    """ExternalName Services: outward, inward, to nothing, to themselves, round in circles, and a long chain."""
    inside = f"svc.{DOMAIN}"
    targets = {
        "out": "www.example.com",
        "out-dot": "example.com.",
        "zone": DOMAIN,
        "zone-svc": inside,
        "zone-ns": f"shop.{inside}",
        "gone": f"nobody.shop.{inside}",
        "gone-ns": f"web.nowhere.{inside}",
        "self": f"self.shop.{inside}",
        "ring-1": f"ring-2.shop.{inside}",
        "ring-2": f"ring-3.shop.{inside}",
        "ring-3": f"ring-1.shop.{inside}",
        "number": "192.0.2.7",
        "version": f"dns-version.{DOMAIN}",
        "reverse": "1.0.96.10.in-addr.arpa",
        "kubernetes": f"kubernetes.default.{inside}",
        "other": "out.shop." + inside,
    }
    # Those with slices of their own are peculiar without an alias in front of them.
    by_hand = {(item["metadata"]["namespace"], item["metadata"]["labels"][SERVICE_NAME]) for item in made.slices}
    by_hand |= {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in made.endpoints}
    plain = [
        f"{item['metadata']['name']}.{item['metadata']['namespace']}"
        for item in made.services
        if (item["metadata"]["namespace"], item["metadata"]["name"]) not in by_hand
    ]
    targets |= {f"to-{number}": f"{target}.{inside}" for number, target in enumerate(rng.sample(plain, 16))}
    targets |= {f"chain-{n}": f"chain-{n + 1}.shop.{inside}" for n in range(1, 12)}
    targets["chain-12"] = f"kubernetes.default.{inside}"
    return [
        manifest("v1", "Service", "shop", name, _labels(rng))
        | {"spec": {"type": "ExternalName", "externalName": target}}
        for name, target in targets.items()
    ]
