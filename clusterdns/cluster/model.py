"""Kubernetes objects, reduced to what can change an answer, and to where they were written.

Everything is frozen and shared freely: published endpoints *are* the decoded ones.  ``gc=False`` because these
objects form no cycles and a large cluster has hundreds of thousands of them.  Addresses are packed octets
(``cluster.addresses``), protocols lower case ("tcp"), absent strings "".
"""

from typing import NamedTuple

from msgspec import Struct

from clusterdns.cluster.labels import Selector


class Key(NamedTuple):
    """Identity inside one kind.  A Namespace has the namespace ""."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def list_order(key: Key) -> str:
    """Of an API server's lists: its storage sorts ``namespace/name`` as one text."""
    return f"{key.namespace}/{key.name}"


class Place(Struct, frozen=True, gc=False, order=True):
    """Where an object was written; ordered as people read: by path, then line."""

    path: str
    line: int  # 1-based; 0: not from a file
    offset: int = 0  # octets before the YAML document or JSON item that holds the object


NOWHERE = Place("", 0)


class Port(Struct, frozen=True, gc=False):
    """A port of a container or of endpoints."""

    name: str  # "" when unnamed: such a port has no SRV record (DNS specification §2.3.2)
    protocol: str  # "tcp" | "udp" | "sctp"
    number: int  # 0: any (an EndpointSlice port without number)


class ServicePort(Struct, frozen=True, gc=False):
    name: str
    protocol: str
    number: int
    target: int | str  # a container port's number or name
    node_port: int = 0  # 0: none yet


class Service(Struct, frozen=True, gc=False):
    key: Key
    place: Place = NOWHERE
    labels: dict[str, str] = {}
    type: str = "ClusterIP"  # ClusterIP | NodePort | LoadBalancer | ExternalName
    headless: bool = False  # clusterIP: None
    cluster_ips: tuple[bytes, ...] = ()  # as written, or as allocated in a published Service
    external_name: str = ""
    selector: dict[str, str] | None = None  # None or {}: nobody but its author makes its endpoints
    ports: tuple[ServicePort, ...] = ()
    publish_not_ready: bool = False
    ip_families: tuple[int, ...] = ()  # 4, 6; () when not written
    ip_family_policy: str = ""  # SingleStack | PreferDualStack | RequireDualStack; "" when not written
    external_ips: tuple[str, ...] = ()
    load_balancer: tuple[str, ...] = ()  # addresses or host names of status.loadBalancer.ingress
    allocate_node_ports: bool = True

    @property
    def kind(self) -> str:
        return "Service"


# Conditions of an endpoint (EndpointSlice API): a bit each.
READY, SERVING, TERMINATING = 1, 2, 4


class Endpoint(Struct, frozen=True, gc=False):
    """One address of one endpoint; a slice's endpoint with several addresses becomes several of these."""

    address: bytes
    conditions: int = READY | SERVING
    hostname: str = ""  # the label it asked for; records fall back to the dashed address
    node: str = ""
    target: str = ""  # the name of the Pod behind it

    @property
    def ready(self) -> bool:
        return bool(self.conditions & READY)


class EndpointSlice(Struct, frozen=True, gc=False):
    key: Key
    service: Key  # from the label kubernetes.io/service-name; its name is "" where that label is absent
    place: Place = NOWHERE
    labels: dict[str, str] = {}
    family: int = 4  # 4, 6; 0: FQDN, which DNS does not use
    ports: tuple[Port, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    managed_by: str = ""  # from the label endpointslice.kubernetes.io/managed-by

    @property
    def kind(self) -> str:
        return "EndpointSlice"


class Subset(Struct, frozen=True, gc=False):
    """Addresses of both families that share ports.  notReadyAddresses come with READY cleared."""

    ports: tuple[Port, ...]
    endpoints: tuple[Endpoint, ...]


class Endpoints(Struct, frozen=True, gc=False):
    key: Key
    place: Place = NOWHERE
    labels: dict[str, str] = {}
    subsets: tuple[Subset, ...] = ()
    mirrored: bool = True  # False: label skip-mirror, or a leader-election annotation

    @property
    def kind(self) -> str:
        return "Endpoints"


class Pod(Struct, frozen=True, gc=False):
    key: Key
    place: Place = NOWHERE
    labels: dict[str, str] = {}
    addresses: tuple[bytes, ...] = ()  # status.podIPs, at most one of each family
    hostname: str = ""
    subdomain: str = ""
    node: str = ""
    phase: str = "Pending"
    ready: bool = False  # its Ready condition, whether it terminates or not
    terminating: bool = False
    ports: tuple[Port, ...] = ()  # of containers in order, then of native sidecars
    stand_in: str = ""  # "Deployment shop/web" where a workload's stand-in, else ""

    @property
    def kind(self) -> str:
        return "Pod"


class Namespace(Struct, frozen=True, gc=False):
    key: Key
    place: Place = NOWHERE
    labels: dict[str, str] = {}  # kubernetes.io/metadata.name included, as the API server adds it

    @property
    def kind(self) -> str:
        return "Namespace"


class Workload(Struct, frozen=True, gc=False):
    """A Deployment, StatefulSet, DaemonSet or ReplicaSet, as far as it says which pods there would be."""

    key: Key
    kind: str
    place: Place = NOWHERE
    labels: dict[str, str] = {}
    replicas: int = 1
    selector: Selector = ()
    pod_labels: dict[str, str] = {}  # of the template
    hostname: str = ""  # of the template
    subdomain: str = ""  # of the template
    ports: tuple[Port, ...] = ()  # of the template, in the order of Pod.ports
    service_name: str = ""  # StatefulSet: spec.serviceName
    first_ordinal: int = 0  # StatefulSet: spec.ordinals.start
    addresses: tuple[bytes, ...] = ()  # annotation clusterdns.io/address: where its process really runs
    controlled: bool = False  # it has an ownerReference with controller: true, as a Deployment's ReplicaSet has


Object = Service | EndpointSlice | Endpoints | Pod | Namespace | Workload


class Published(Struct, frozen=True, gc=False):
    """A Service as its zone shows it: ClusterIPs and node ports allocated, endpoints made."""

    service: Service
    slices: tuple[EndpointSlice, ...] = ()  # in the order of their keys; headless and ClusterIP alike
    pod_names: bool = False  # endpoints without hostname have the names of their pods


def identity(item: Object) -> tuple[str, Key]:
    """What makes two documents the same object."""
    return item.kind, item.key


def subject(item: Object) -> str:
    """``Service shop/web``: how messages name an object."""
    return f"{item.kind} {item.key}"
