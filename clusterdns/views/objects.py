"""The model -> objects as an API server would hold them: as they were written, with what was allocated filled in.

Views show much that changes no answer and that the model therefore does not keep.  So *written* finds the object's
own text again; where there is none (stand-ins, made endpoints), the model alone is shown.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy

from clusterdns.cluster.addresses import address_text
from clusterdns.cluster.model import (
    READY,
    SERVING,
    TERMINATING,
    Endpoint,
    Endpoints,
    EndpointSlice,
    Key,
    Namespace,
    Object,
    Pod,
    Port,
    Service,
    Workload,
)
from clusterdns.views.trees import Tree, many, sub

Written = Callable[[Object], Tree | None]  # the object as it stands in its file; None: not there (any more)

NAMESPACE_NAME = "kubernetes.io/metadata.name"
STAND_IN = "StandIn"  # status.reason, which kubectl shows as STATUS
_FAMILIES = {4: "IPv4", 6: "IPv6", 0: "FQDN"}


def service_tree(service: Service, written: Written) -> Tree:
    """*service* with its ClusterIPs and node ports.  Defaults are those of the API server (v1.36)."""
    tree = _base("v1", service, written)
    spec = _make(tree, "spec")
    if not spec:
        spec |= _service_spec(service)
    spec["type"] = service.type
    _service_ports(spec, service)
    if service.type != "ExternalName":
        _service_addresses(spec, service)
    spec.setdefault("sessionAffinity", "None")
    if service.type in ("NodePort", "LoadBalancer") or service.external_ips:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if service.type != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if service.type == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    _balancer(tree, service)
    return tree


def _service_spec(service: Service) -> Tree:
    spec: Tree = {"selector": service.selector} if service.selector is not None else {}
    if service.external_name:
        spec["externalName"] = service.external_name
    if service.external_ips:
        spec["externalIPs"] = list(service.external_ips)
    if service.publish_not_ready:
        spec["publishNotReadyAddresses"] = True
    return spec


def _service_ports(spec: Tree, service: Service) -> None:
    if not service.ports:
        return
    written = many(spec, "ports")
    ports = []
    for at, port in enumerate(service.ports):
        tree = dict(written[at]) if at < len(written) else {}
        if port.name:
            tree["name"] = port.name
        tree |= {"port": port.number, "protocol": port.protocol.upper(), "targetPort": port.target}
        if port.node_port:
            tree["nodePort"] = port.node_port
        ports.append(tree)
    spec["ports"] = ports


def _service_addresses(spec: Tree, service: Service) -> None:
    addresses = [address_text(address) for address in service.cluster_ips] or (["None"] if service.headless else [])
    if addresses:
        spec["clusterIP"], spec["clusterIPs"] = addresses[0], addresses
    if service.ip_families:
        spec["ipFamilies"] = [_FAMILIES[version] for version in service.ip_families]
        two = len(service.ip_families) > 1
        spec["ipFamilyPolicy"] = service.ip_family_policy or ("RequireDualStack" if two else "SingleStack")


def _balancer(tree: Tree, service: Service) -> None:
    status = _make(tree, "status")
    balancer = _make(status, "loadBalancer")
    if not many(balancer, "ingress") and service.load_balancer:
        balancer["ingress"] = [
            {"hostname" if any(letter.isalpha() for letter in one.replace(":", "")) else "ip": one}
            for one in service.load_balancer
        ]
    if service.type == "LoadBalancer":
        for entry in many(balancer, "ingress"):
            if "ip" in entry:
                entry.setdefault("ipMode", "VIP")


def slice_tree(piece: EndpointSlice, written: Written) -> Tree:
    tree = _base("discovery.k8s.io/v1", piece, written)
    if "endpoints" in tree:
        for port in many(tree, "ports"):
            port.setdefault("protocol", "TCP")
            port.setdefault("name", "")
        return tree
    metadata = _make(tree, "metadata")
    metadata["labels"] = piece.labels | {"kubernetes.io/service-name": piece.service.name}
    if piece.managed_by:
        metadata["labels"]["endpointslice.kubernetes.io/managed-by"] = piece.managed_by
    tree["addressType"] = _FAMILIES[piece.family]
    tree["ports"] = [_port(port) for port in piece.ports]
    tree["endpoints"] = [_endpoint(endpoint, piece.key.namespace) for endpoint in piece.endpoints]
    return tree


def _port(port: Port) -> Tree:
    return {"name": port.name, "port": port.number or None, "protocol": port.protocol.upper()}


def _endpoint(endpoint: Endpoint, namespace: str) -> Tree:
    bits = {"ready": READY, "serving": SERVING, "terminating": TERMINATING}
    return {
        "addresses": [address_text(endpoint.address)],
        "conditions": {name: bool(endpoint.conditions & bit) for name, bit in bits.items()},
        **_details(endpoint, namespace),
    }


def _details(endpoint: Endpoint, namespace: str) -> Tree:
    tree: Tree = {}
    if endpoint.hostname:
        tree["hostname"] = endpoint.hostname
    if endpoint.node:
        tree["nodeName"] = endpoint.node
    if endpoint.target:
        tree["targetRef"] = {"kind": "Pod", "name": endpoint.target, "namespace": namespace}
    return tree


def old_address(endpoint: Endpoint, namespace: str) -> Tree:
    """An address of an Endpoints object."""
    return {"ip": address_text(endpoint.address), **_details(endpoint, namespace)}


def written_endpoints(endpoints: Endpoints, written: Written) -> Tree:
    """Endpoints that somebody wrote, with the API's defaults."""
    tree = _base("v1", endpoints, written)
    if "subsets" not in tree:
        tree["subsets"] = [_subset(subset.ports, subset.endpoints, endpoints.key) for subset in endpoints.subsets]
    for subset in many(tree, "subsets"):
        for port in many(subset, "ports"):
            port.setdefault("protocol", "TCP")
    return tree


def _subset(ports: Sequence[Port], endpoints: Sequence[Endpoint], key: Key) -> Tree:
    return {
        "addresses": [old_address(one, key.namespace) for one in endpoints if one.ready],
        "notReadyAddresses": [old_address(one, key.namespace) for one in endpoints if not one.ready],
        "ports": [_port(port) for port in ports],
    }


def pod_tree(pod: Pod, workload: Workload | None, written: Written) -> Tree:
    """*workload*: that a stand-in stands in for; its template tells the containers."""
    tree = _stand_in(pod, workload, written) if pod.stand_in else _base("v1", pod, written)
    if pod.node:
        _make(tree, "spec")["nodeName"] = pod.node
    status = _make(tree, "status")
    status["phase"] = pod.phase
    if pod.addresses:
        addresses = [address_text(address) for address in pod.addresses]
        status["podIP"], status["podIPs"] = addresses[0], [{"ip": address} for address in addresses]
    if not many(status, "conditions") and (pod.ready or pod.addresses):
        status["conditions"] = [{"type": "Ready", "status": str(pod.ready)}]
    for container in (*many(tree, "spec", "containers"), *many(tree, "spec", "initContainers")):
        for port in many(container, "ports"):
            port.setdefault("protocol", "TCP")
    return tree


def _stand_in(pod: Pod, workload: Workload | None, written: Written) -> Tree:
    """What is shown of it says that nothing runs there; kubectl, given this object, would say the same."""
    template = sub((written(workload) if workload else None) or {}, "spec", "template")
    spec = deepcopy(sub(template, "spec"))
    for name, value in (("hostname", pod.hostname), ("subdomain", pod.subdomain)):
        if value:
            spec[name] = value
    kind, _, owner = pod.stand_in.partition(" ")
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": owner.rpartition("/")[2], "controller": True}
    metadata: Tree = {"name": pod.key.name, "namespace": pod.key.namespace, "ownerReferences": [reference]}
    if pod.labels:
        metadata["labels"] = dict(pod.labels)
    if annotations := sub(template, "metadata", "annotations"):
        metadata["annotations"] = dict(annotations)
    message = f"nothing runs here: it stands in for the pods of {pod.stand_in}, which are in no manifest"
    status = {"reason": STAND_IN, "message": message}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def namespace_tree(name: str, namespace: Namespace | None, written: Written) -> Tree:
    """*namespace*: None where nobody declares it but something is in it."""
    tree = _base("v1", namespace or Namespace(Key("", name), labels={NAMESPACE_NAME: name}), written)
    status = _make(tree, "status")
    status.setdefault("phase", "Active")
    return tree


def workload_tree(workload: Workload, written: Written) -> Tree:
    return _base("apps/v1", workload, written)


def _base(version: str, item: Object, written: Written) -> Tree:
    """As written, a copy; else what every object has."""
    found = written(item)
    tree: Tree = deepcopy(found) if found else {}
    tree["apiVersion"], tree["kind"] = tree.get("apiVersion") or version, item.kind
    metadata = _make(tree, "metadata")
    metadata["name"] = item.key.name
    if item.key.namespace:
        metadata["namespace"] = item.key.namespace
    if item.labels:
        metadata["labels"] = dict(item.labels)
    return tree


def _make(tree: Tree, name: str) -> Tree:
    """The mapping under *name*, made where there is none."""
    if not isinstance(tree.get(name), dict):
        tree[name] = {}
    found: Tree = tree[name]
    return found
