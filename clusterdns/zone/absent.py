"""Why a name is not there, where somebody could mend it.

A pod's search path makes absent names of good ones all day (``www.example.com.shop.svc.cluster.local.``), and they need
no explanation.  So only names that can hardly be such get one: ``S.N.svc.Z``, which is a Service's shape exactly, and
``_port._protocol.S.N.svc.Z``.  ``H.S.N.svc.Z`` has an endpoint's shape, but is what a search path makes of
``www.example.com`` as well, and gets none.
"""

from collections.abc import Mapping

from clusterdns.cluster.rules import is_label
from clusterdns.zone.names import Name, labels
from clusterdns.zone.prepared import Node
from clusterdns.zone.reasons import Reason, no_namespace, other_protocol

_PROTOCOLS = (b"_tcp", b"_udp", b"_sctp")


def why_absent(name: Name, apex: Name, nodes: Mapping[Name, Node]) -> Reason | None:
    """The reason why *name*, which is in the forward zone *apex* and not among *nodes*, does not exist."""
    match labels(name)[: -len(labels(apex))]:
        case [service, namespace, b"svc"]:
            return _namespace(name[1 + len(service) :], namespace, nodes) if _is_label(service) else None
        case [port, protocol, service, namespace, b"svc"] if port[:1] == b"_" and protocol[:1] == b"_":
            base = name[2 + len(port) + len(protocol) :]
            return _protocol(port, protocol, base, nodes) or _namespace(base[1 + len(service) :], namespace, nodes)
    return None


def _namespace(owner: bytes, namespace: bytes, nodes: Mapping[Name, Node]) -> Reason | None:
    """*owner*: ``N.svc.Z``."""
    return no_namespace(namespace.decode()) if _is_label(namespace) and Name(owner) not in nodes else None


def _protocol(port: bytes, asked: bytes, base: bytes, nodes: Mapping[Name, Node]) -> Reason | None:
    if asked not in _PROTOCOLS:
        return None
    for other in _PROTOCOLS:
        owner = b"".join((bytes((len(port),)), port, bytes((len(other),)), other, base))
        if other != asked and Name(owner) in nodes:
            service, namespace = labels(base)[:2]
            texts = (part.decode() for part in (port[1:], service + b"." + namespace, asked, other))
            return other_protocol(*texts)
    return None


def _is_label(octets: bytes) -> bool:
    return octets.isascii() and is_label(octets.decode())
