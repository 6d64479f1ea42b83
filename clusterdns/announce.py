"""What ``serve`` prints for a person; the ready line is the last, and for programs, too."""

import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from clusterdns import __version__
from clusterdns.backend import Backend
from clusterdns.cluster.model import Key, Published
from clusterdns.config import Settings
from clusterdns.transports.sockets import Address, address_text
from clusterdns.zone.names import Name, to_text
from clusterdns.zone.records import service_name


def announce_start(backend: Backend, settings: Settings, http: Sequence[Address], bound: Sequence[Address]) -> None:
    """What is served, and where to ask how it goes.  *http*, *bound*: the addresses as they came to be."""
    print(f"clusterdns {__version__}")
    if backend.live:
        print(f"serving  the cluster of {backend.live.where}")
        if not backend.ready:
            print(f"waiting  on {texts(bound)}: SERVFAIL until the Kubernetes API has been read")
    elif settings.source == "none":
        print("serving  no zones of its own: every name is forwarded, or kept home, and cached")
    else:
        report = backend.source.status()
        stand_ins = sum(1 for _ in backend.world.controllers.stand_ins())
        print(
            f"serving  {', '.join(settings.manifests)}: {some(report.files, 'file')}, "
            f"{_services(backend)}, {some(stand_ins, 'stand-in pod')}, "
            f"{some(len(backend.problems()), 'problem')} (`clusterdns check` lists them)"
        )
    if backend.forwarder:
        print(f"forwards {described(settings)}")
    for address in http:
        print(f"http     http://{address_text(address)}/health and /ready", flush=True)


def announce_ready(backend: Backend, bound: Sequence[Address]) -> None:
    """That questions are answered, and one to try."""
    zones = backend.world.table.zones
    if backend.live:
        old = f", of {backend.live.snapshot}: the Kubernetes API has not been read yet" if backend.live.snapshot else ""
        print(f"have     {', '.join([_services(backend), *_others(backend)])}{old}")
    host, port = bound[0]
    name = _example(backend.world.table.tree.published, zones[0].apex) if zones else "example.com"
    print(f"try      dig @{host} -p {port} {name}")
    print(f"         {_own_command()} query {name} @{address_text((host, port))}")
    print(f"ready: {what(backend)} on {texts(bound)} (UDP and TCP)", flush=True)


def what(backend: Backend) -> str:
    """That is served, in a word."""
    zones = backend.world.table.zones
    return to_text(zones[0].apex) if zones else "forwarding"


def described(settings: Settings) -> str:
    """Who is asked for what."""
    stubs = [f"{suffix} to {', '.join(servers)}" for suffix, servers in settings.stub_domains]
    rest = [f"{'other names' if stubs else 'names of others'} to {', '.join(settings.upstream)}"]
    return "; ".join([*stubs, *(rest if settings.upstream else [])])


def texts(addresses: Sequence[Address]) -> str:
    return " ".join(map(address_text, addresses))


def some(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _services(backend: Backend) -> str:
    return some(len(backend.world.table.tree.published), "Service")


def _others(backend: Backend) -> list[str]:
    """Of what else is followed, how many there are."""
    kinds = [one.kind for one in backend.source.status().kinds if one.kind != "Service"]
    return [some(sum(1 for _ in backend.world.state.all(kind)), kind) for kind in kinds]


def _own_command() -> str:
    """How to start this program again from a shell: it may be installed where no shell looks."""
    if shutil.which("clusterdns"):
        return "clusterdns"
    if not sys.argv[0].endswith("__main__.py") or not sys.executable:
        return shlex.quote(sys.argv[0])
    name = Path(sys.executable).name
    return f"{name if shutil.which(name) == sys.executable else shlex.quote(sys.executable)} -m clusterdns"


def _example(published: Mapping[Key, Published], apex: Name) -> str:
    """A name that has an address, to try; the zone's version where nothing has."""
    for key in sorted(published):
        if published[key].service.cluster_ips:
            return to_text(service_name(key, apex)).removesuffix(".")
    return f"dns-version.{to_text(apex)} TXT"
