"""Servers that forward to one upstream and keep what it says: how each is configured."""

import sys
from pathlib import Path

from load import packet
from servers import ECHO, HOST, OURS, Server, Site, ask, dnsmasq, echo, unbound, write

NAMES = 10_000
TTL = 3600
ZONES = Path(__file__).parents[2] / "zones" / "demo"
UPSTREAM = Path(__file__).with_name("upstream.py")


def names() -> list[tuple[str, str]]:
    """Of others, as they are asked for."""
    return [(f"host-{number}.zone-{number % 100}.example.", "A") for number in range(NAMES)]


def forwards(port: int) -> bool:
    """Whether what listens there knows what the upstream knows."""
    response = ask(port, packet(("ready.example.", "A")))
    return len(response) > 12 and response[3] & 0xF == 0 and response[7] == 1


def asked(port: int) -> int:
    """How many questions the upstream at *port* has been asked so far."""
    response = ask(port, packet(("asked.", "A")))
    return int.from_bytes(response[-15:-11])  # before an OPT of eleven octets


def known(coredns: str | None, upstream: int) -> list[Server]:
    """The yardstick and clusterdns first.  *upstream*: its port."""
    python = sys.executable
    to = f"{HOST}:{upstream}"

    def clusterdns(program: str, site: Site) -> list[str]:
        listen = f"{HOST}:{site.port}"
        return [program, "-m", "clusterdns", "serve", str(ZONES), "--listen", listen, "--http", "", "--upstream", to]

    def forwarding_unbound(program: str, site: Site) -> list[str]:
        text = f"""
            server:
                do-not-query-localhost: no
                msg-cache-size: 32m
                rrset-cache-size: 64m
            forward-zone:
                name: "."
                forward-addr: {HOST}@{upstream}
            """
        return unbound(program, site, text)

    def forwarding_dnsmasq(program: str, site: Site) -> list[str]:
        return dnsmasq(program, site, f"cache-size=20000\nserver={HOST}#{upstream}\n")

    def corefile(program: str, site: Site) -> list[str]:
        text = f"""
            .:{site.port} {{
                bind {HOST}
                cache 3600 {{
                    success 40960
                }}
                forward . {to}
            }}
            """
        return [program, "-conf", write(site, "Corefile", text)]

    return [
        Server(ECHO, python, "nothing: a UDP echo loop in Python", "-V", echo),
        Server(OURS, python, "zones/demo, and forwards", "", clusterdns),
        Server("unbound", "unbound", "forwards (iterator module only)", "-V", forwarding_unbound),
        Server("dnsmasq", "dnsmasq", "forwards", "--version", forwarding_dnsmasq),
        Server(
            "coredns", coredns or "coredns", "forwards (forward, cache)", "-version", corefile, (("GOMAXPROCS", "1"),)
        ),
    ]
