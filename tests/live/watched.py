"""A server that watches a real API with real controllers, and what of it a test needs."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.reversename
import pytest

from live.api import Manifest
from live.clusters import DOMAIN, manifest
from live.control_plane import OLD_ETCD, ControlPlane, control_plane, etcd_version
from live.endpoints import SERVICE_NAME
from live.kubelet import Kubelet
from live.processes import PATIENCE, wait_until
from live.resolving import Pod, free_address, why_not
from live.serving import Serve, serving

NEEDED = ("etcd", "kube-apiserver", "kube-controller-manager")
NO_OLD_ETCD = "" if etcd_version(OLD_ETCD) == "3.4" else f"{OLD_ETCD} is no etcd 3.4 (Debian's package etcd-server)"
ETCDS = [
    pytest.param(None, id="etcd"),
    pytest.param(OLD_ETCD, id="etcd-3.4", marks=pytest.mark.skipif(bool(NO_OLD_ETCD), reason=NO_OLD_ETCD)),
]


class Answer(NamedTuple):
    rcode: str
    records: frozenset[str]  # of the answer section: "A 10.0.0.1"


ABSENT, EMPTY = Answer("NXDOMAIN", frozenset()), Answer("NOERROR", frozenset())


def has(*records: str) -> Answer:
    return Answer("NOERROR", frozenset(records))


def inside(name: str) -> str:
    """*name* (``web.shop``) of a Service or what is below it, in full."""
    return f"{name}.svc.{DOMAIN}."


class Watched(NamedTuple):
    plane: ControlPlane
    server: Serve
    kubelet: Kubelet
    address: str  # where port 53 is the server's; "" where that cannot be
    folder: Path

    def expect(self, name: str, rtype: str, wanted: Answer, held: Sequence[Answer] = ()) -> None:
        """The answer becomes *wanted*, over UDP and TCP; until then it is one of *held*: what the API has held."""
        deadline = time.monotonic() + PATIENCE
        got = None
        while got != wanted:
            got = self.ask(name, rtype)
            assert got == wanted or got in held, f"{name} {rtype}: {got}; neither {wanted} nor one of {held}"
            assert time.monotonic() < deadline, f"{name} {rtype}: {got} for {PATIENCE} s; never {wanted}"
        assert self.ask(name, rtype, tcp=True) == wanted, f"{name} {rtype} over TCP"

    def ask(self, name: str, rtype: str, *, tcp: bool = False) -> Answer:
        query = dns.message.make_query(name, rtype, use_edns=0)
        ask = dns.query.tcp if tcp else dns.query.udp
        response = ask(query, "127.0.0.1", port=self.server.port, timeout=PATIENCE)
        records = [f"{dns.rdatatype.to_text(one.rdtype)} {one}" for rrset in response.answer for one in rrset]
        assert len(records) == len(set(records))
        return Answer(dns.rcode.to_text(response.rcode()), frozenset(records))

    def reverse(self, address: str) -> str:
        return str(dns.reversename.from_address(address))

    def namespace(self, name: str) -> str:
        self.plane.api.create(manifest("v1", "Namespace", "", name))
        return name

    def pod(self, namespace: str, *hosts: str, **spec: Any) -> Pod:
        """A pod of *namespace* with the files that kubelet would write.  *spec*: of its manifest."""
        if why := "" if self.address else why_not():
            pytest.skip(why)
        made = manifest("v1", "Pod", namespace, "client") | {"spec": {"containers": []} | spec}
        folder = self.folder / f"pod-{time.monotonic_ns()}"
        folder.mkdir()
        (folder / "pod.yaml").write_text(json.dumps(made))
        command = [sys.executable, "-m", "clusterdns", "resolvconf", "--pod", str(folder / "pod.yaml")]
        command += ["--host-resolv-conf", "", "--cluster-dns", self.address]
        resolv_conf = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return Pod(folder, resolv_conf, "".join(f"{line}\n" for line in hosts))

    def slices(self, namespace: str, service: str) -> list[Manifest]:
        items: list[Manifest] = self.plane.api.list("discovery.k8s.io/v1", "EndpointSlice")["items"]
        return [
            one
            for one in items
            if one["metadata"]["namespace"] == namespace and one["metadata"]["labels"].get(SERVICE_NAME) == service
        ]

    def until_slices(self, namespace: str, service: str, count: int) -> None:
        wait_until(lambda: len(self.slices(namespace, service)) == count, f"{count} slices of {namespace}/{service}")

    def until_endpoints(self, namespace: str, service: str, wanted: Callable[[list[Manifest]], bool]) -> None:
        """Of all slices of the Service."""

        def settled() -> bool:
            pieces = self.slices(namespace, service)
            return wanted([one for piece in pieces for one in piece.get("endpoints") or ()])

        wait_until(settled, f"the endpoints of {namespace}/{service}")


@contextmanager
def watched(folder: Path, etcd: Path | None) -> Iterator[Watched]:
    address = "" if why_not() else free_address()
    listen = ["--listen", f"{address}:53"] if address else []
    with control_plane(folder, etcd_program=etcd) as plane:
        kubelet = Kubelet(plane.api)
        with serving(folder, plane.kubeconfig, *listen) as server:
            wait_until(server.ready, "the ready line")
            yield Watched(plane, server, kubelet, address, folder)


def service(namespace: str, name: str, **spec: Any) -> Manifest:
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]
    return manifest("v1", "Service", namespace, name) | {"spec": {"ports": ports} | spec}


def headless(namespace: str, name: str, **spec: Any) -> Manifest:
    return service(namespace, name, clusterIP="None", **spec)


def ready_addresses(*wanted: str) -> Callable[[list[Manifest]], bool]:
    def settled(endpoints: list[Manifest]) -> bool:
        found = {one["addresses"][0] for one in endpoints if one["conditions"]["ready"]}
        return found == set(wanted)

    return settled
