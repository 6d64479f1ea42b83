"""The servers: how each is configured to serve one zone from one core, as little as it can, and started."""

import os
import re
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from load import DOMAIN, meets, packet, probes
from processes import MeasureError, Process, run

START_SECONDS = 60.0
ECHO, OURS = "echo", "clusterdns"
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Site:
    """What a server is made from: a folder of its own, the manifests, the exported zone, and a free port."""

    folder: Path
    manifests: Path
    zone: Path
    port: int


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    program: str
    serves: str  # for the reader of the figures
    version_flag: str
    command: Callable[[str, Site], list[str]]  # (program, site); writes the configuration
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Running:
    name: str
    serves: str
    version: str
    port: int
    process: Process


def start(server: Server, site: Site, core: int, serves: Callable[[int], bool] | None = None) -> Running:
    """Started and seen to serve.  *serves*: asks what listens on a port; the zone's names if None.

    Raises MeasureError with the reason.
    """
    program = find(server.program)
    if program is None:
        raise MeasureError(f"{server.program} is not installed")
    site.folder.mkdir()
    process = Process(server.name, server.command(program, site), site.folder, core, dict(server.environment))
    try:
        process.wait_until(lambda: _ready(server, site.port, process, serves), START_SECONDS)
        return Running(server.name, server.serves, _version(program, server.version_flag), site.port, process)
    except BaseException:
        process.stop()
        raise


def find(program: str) -> str | None:
    """Debian keeps daemons where not everybody's PATH looks."""
    return shutil.which(program, path=os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin")


def free_port() -> int:
    """Of UDP and TCP alike."""
    for _ in range(20):
        with socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind((HOST, 0))
            try:
                tcp.bind(udp.getsockname())
            except OSError:
                continue
            port: int = udp.getsockname()[1]
            return port
    raise MeasureError("no port is free")


def known(coredns: str | None = None) -> list[Server]:
    """The yardstick and clusterdns first.  *coredns*: where its binary is, which no Debian package brings."""
    python = sys.executable
    return [
        Server(ECHO, python, "nothing: a UDP echo loop in Python", "-V", echo),
        Server(OURS, python, "manifests", "", _clusterdns),
        Server("knotd", "knotd", "the exported zone", "-V", _knot),
        Server("nsd", "nsd", "the exported zone", "-v", _nsd),
        Server("unbound", "unbound", "the exported zone (as local-data)", "-V", _unbound),
        Server("named", "named", "the exported zone", "-v", _named),
        Server("dnsmasq", "dnsmasq", "the exported zone's addresses (addn-hosts)", "--version", _dnsmasq),
        Server(
            "coredns",
            coredns or "coredns",
            "the exported zone (its file plugin; the kubernetes plugin needs a live API)",
            "-version",
            _coredns,
            (("GOMAXPROCS", "1"),),
        ),
    ]


def _ready(server: Server, port: int, process: Process, serves: Callable[[int], bool] | None) -> bool:
    if server.name == ECHO:
        return bool(ask(port, b"\0" * 12))
    if server.name == OURS and not process.last_line().startswith("ready:"):
        return False
    if serves:
        return serves(port)
    return all(meets(ask(port, packet(question)), expected) for question, expected in probes())


def ask(port: int, query: bytes) -> bytes:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        sock.connect((HOST, port))
        try:
            sock.send(query)
            return sock.recv(4096)
        except OSError:
            return b""


def _version(program: str, flag: str) -> str:
    found = re.search(r"\d+\.\d+(\.\d+)?", run([program, flag])) if flag else None
    return found[0] if found else ""


def write(site: Site, name: str, *texts: str) -> str:
    path = site.folder / name
    path.write_text("".join(dedent(text).lstrip() for text in texts))
    return str(path)


def echo(program: str, site: Site) -> list[str]:
    return [program, str(Path(__file__).with_name("echo.py")), str(site.port)]


def _clusterdns(program: str, site: Site) -> list[str]:
    address = f"{HOST}:{site.port}"
    return [program, "-m", "clusterdns", "serve", str(site.manifests), "--listen", address, "--http", ""]


def _knot(program: str, site: Site) -> list[str]:
    text = f"""
        server:
            rundir: {site.folder}
            listen: {HOST}@{site.port}
            udp-workers: 1
            tcp-workers: 1
            background-workers: 1
        database:
            storage: {site.folder}
        log:
          - target: stderr
            any: warning
        zone:
          - domain: {DOMAIN}
            file: {site.zone}
            zonefile-sync: -1
            journal-content: none
        """
    return [program, "-c", write(site, "knot.conf", text), "-s", str(site.folder / "knot.sock")]


def _nsd(program: str, site: Site) -> list[str]:
    text = f"""
        server:
            ip-address: {HOST}@{site.port}
            server-count: 1
            username: ""
            chroot: ""
            zonesdir: "{site.folder}"
            pidfile: "{site.folder}/nsd.pid"
            xfrdfile: "{site.folder}/xfrd.state"
            xfrdir: "{site.folder}"
            zonelistfile: "{site.folder}/zone.list"
            rrl-ratelimit: 0
            rrl-whitelist-ratelimit: 0
        remote-control:
            control-enable: no
        zone:
            name: {DOMAIN}
            zonefile: "{site.zone}"
        """
    return [program, "-d", "-c", write(site, "nsd.conf", text)]


def _unbound(program: str, site: Site) -> list[str]:
    """As local data, which it answers in half the time that an auth-zone takes."""
    records = [line for line in site.zone.read_text().splitlines() if line and not line.startswith(";")]
    (site.folder / "data").write_text("".join(f"local-data: '{record}'\n" for record in records))
    text = f"""
        server:
            local-zone: {DOMAIN}. static
            include: {site.folder}/data
        """
    return unbound(program, site, text)


def unbound(program: str, site: Site, text: str) -> list[str]:
    """*text*: what it is to know, as clauses of their own."""
    common = f"""
        server:
            interface: {HOST}@{site.port}
            num-threads: 1
            username: ""
            chroot: ""
            directory: "{site.folder}"
            pidfile: "{site.folder}/unbound.pid"
            use-syslog: no
            do-daemonize: no
            module-config: "iterator"
        remote-control:
            control-enable: no
        """
    return [program, "-d", "-c", write(site, "unbound.conf", common, text)]


def _named(program: str, site: Site) -> list[str]:
    text = f"""
        options {{
            directory "{site.folder}";
            listen-on port {site.port} {{ {HOST}; }};
            listen-on-v6 {{ none; }};
            pid-file "{site.folder}/named.pid";
            session-keyfile none;
            recursion no;
            notify no;
            minimal-responses yes;
        }};
        controls {{ }};
        zone "{DOMAIN}" {{ type primary; file "{site.zone}"; }};
        """
    return [program, "-g", "-n", "1", "-c", write(site, "named.conf", text)]


def _dnsmasq(program: str, site: Site) -> list[str]:
    """It reads no zone files."""
    records = [line.split() for line in site.zone.read_text().splitlines()]
    hosts = [f"{record[4]} {record[0]}" for record in records if record[3:4] in (["A"], ["AAAA"])]
    (site.folder / "hosts").write_text("\n".join(hosts).replace(". ", " ").replace(".\n", "\n") + "\n")
    text = f"""
        cache-size=10000
        local-ttl=5
        local=/{DOMAIN}/
        addn-hosts={site.folder}/hosts
        """
    return dnsmasq(program, site, text)


def dnsmasq(program: str, site: Site, text: str) -> list[str]:
    """*text*: what it is to know."""
    common = f"""
        port={site.port}
        listen-address={HOST}
        bind-interfaces
        no-daemon
        no-resolv
        no-hosts
        no-poll
        user=
        group=
        pid-file={site.folder}/dnsmasq.pid
        """
    return [program, f"--conf-file={write(site, 'dnsmasq.conf', common, text)}"]


def _coredns(program: str, site: Site) -> list[str]:
    text = f"""
        {DOMAIN}.:{site.port} {{
            bind {HOST}
            file {site.zone}
        }}
        """
    return [program, "-conf", write(site, "Corefile", text)]
