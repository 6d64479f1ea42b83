"""Upstreams as text."""

import pytest

from clusterdns.forward.servers import Server, is_file, nameservers, parse_server, with_transport

GOOD = {
    "10.0.0.1": "10.0.0.1:53",
    "10.0.0.2:5353": "10.0.0.2:5353",
    "2001:db8::1": "[2001:db8::1]:53",
    "[2001:DB8::1]": "[2001:db8::1]:53",
    "[2001:db8::1]:5353": "[2001:db8::1]:5353",
    "tls://1.1.1.1": "tls://1.1.1.1:853",
    "tls://1.1.1.1:8853#one.one.one.one": "tls://1.1.1.1:8853#one.one.one.one",
    "tls://2606:4700:4700::1111#one.one.one.one": "tls://[2606:4700:4700::1111]:853#one.one.one.one",
    "tls://[2606:4700:4700::1111]:853": "tls://[2606:4700:4700::1111]:853",
}


@pytest.mark.parametrize(("text", "shown"), GOOD.items(), ids=GOOD)
def test_servers(text: str, shown: str) -> None:
    server = parse_server(text)
    assert str(server) == shown
    assert parse_server(shown) == server


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "is no upstream; write 10.0.0.1"),
        ("dns.example", "is no upstream; write"),
        ("10.0.0", "is no upstream; write"),
        ("010.0.0.1", "is no upstream; write"),
        ("10.0.0.1:0", "a port is 1 to 65535; write"),
        ("10.0.0.1:65536", "a port is 1 to 65535; write"),
        ("10.0.0.1:", "is no upstream; write"),
        ("[10.0.0.1:53", "is no upstream; write"),
        ("fe80::1%eth0", "is no upstream; write"),
        ("10.0.0.1#name", "a name behind # is what a tls:// server's certificate says; write"),
        ("tls://1.1.1.1#", "a name behind # is what a tls:// server's certificate says; write"),
        ("tls://1.1.1.1#a..b", "a name behind # is what a tls:// server's certificate says; write"),
        ("udp://1.1.1.1", "is no upstream; write"),
        ("tls:///etc/resolv.conf", "is no upstream; write"),
    ],
)
def test_what_is_no_server(text: str, part: str) -> None:
    with pytest.raises(ValueError, match="; write ") as raised:
        parse_server(text)
    assert part in str(raised.value)


def test_files() -> None:
    assert is_file("/etc/resolv.conf")
    assert not is_file("10.0.0.1")


def test_the_nameservers_of_a_file() -> None:
    text = """
# nameserver 10.9.9.9
; nameserver 10.9.9.9
search example.com
nameserver 10.0.0.1
  nameserver   10.0.0.2   # a remark
nameserver 10.0.0.1
nameserver fe80::1%eth0
nameserver ::1
nameserver
nameserver ns.example.com
nameservers 10.0.0.3
options ndots:5 rotate
"""
    found, wrong = nameservers(text)
    assert [str(one) for one in found] == ["10.0.0.1:53", "10.0.0.2:53", "[fe80::1%eth0]:53", "[::1]:53"]
    assert wrong == ["nameserver", "nameserver ns.example.com"]


def test_tcp_instead_of_udp() -> None:
    servers = [Server("10.0.0.1"), Server("10.0.0.1", 853, "tls", "dns.test")]
    assert [one.transport for one in with_transport(servers, "tcp")] == ["tcp", "tls"]
