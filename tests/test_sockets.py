"""Listening sockets: pairs, wildcards, and what an operator is told when one cannot be had."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from packets import with_ipv6
from ports import free_port

from clusterdns.errors import OperatorError
from clusterdns.transports import sockets
from clusterdns.transports.sockets import Address, address_text, bind_pairs, local_addresses

Pairs = list[tuple[socket.socket, socket.socket]]


@contextmanager
def bound(listen: Address) -> Iterator[Pairs]:
    pairs = bind_pairs(listen)
    try:
        yield pairs
    finally:
        for pair in pairs:
            for sock in pair:
                sock.close()


@contextmanager
def taken(kind: socket.SocketKind, port: int) -> Iterator[int]:
    """*port* of 127.0.0.1 as another program has it."""
    with socket.socket(socket.AF_INET, kind) as sock:
        if kind == socket.SOCK_STREAM:  # connections of before that wait for their end are no matter
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        yield port


def test_port_zero_gives_udp_and_tcp_the_same_port() -> None:
    with bound(("127.0.0.1", 0)) as ((udp, tcp),):
        assert udp.getsockname() == tcp.getsockname()
        assert udp.getsockname()[1] > 0
        assert (udp.type, tcp.type) == (socket.SOCK_DGRAM, socket.SOCK_STREAM)
        assert not udp.getblocking()
        assert not tcp.getblocking()


@pytest.mark.parametrize("second", [("127.0.0.1", socket.SOCK_STREAM), ("127.0.0.2", socket.SOCK_DGRAM)], ids=str)
def test_a_free_port_is_free_for_all(second: tuple[str, socket.SocketKind], monkeypatch: pytest.MonkeyPatch) -> None:
    """UDP of the first address finds one that another program has elsewhere."""
    monkeypatch.setattr(sockets, "local_addresses", lambda _: ["127.0.0.1", "127.0.0.2"])
    with socket.socket(socket.AF_INET, second[1]) as taken:
        busy = free_port()
        taken.bind((second[0], busy))
        tries: list[int] = []
        original = sockets._bind

        def bind(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
            if port == 0:
                tries.append(port)
                port = busy if len(tries) == 1 else port
            return original(host, port, kind)

        monkeypatch.setattr(sockets, "_bind", bind)
        with bound(("0.0.0.0", 0)) as pairs:
            assert len({sock.getsockname()[1] for pair in pairs for sock in pair} - {busy}) == 1
            assert len(pairs) == 2
            assert len(tries) > 1


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["udp", "tcp"])
def test_a_taken_port_is_told_with_what_to_do(kind: socket.SocketKind) -> None:
    with taken(kind, free_port()) as port:
        with pytest.raises(OperatorError) as told:
            bind_pairs(("127.0.0.1", port))
        where, why = f"listen 127.0.0.1:{port}: Address already in use", "another process has it"
        assert str(told.value) == f"{where}; {why}: stop that one or listen elsewhere"
        other = socket.SOCK_STREAM if kind == socket.SOCK_DGRAM else socket.SOCK_DGRAM
        with taken(other, port):
            pass  # none stayed open


def test_an_address_of_no_interface_is_told_with_what_to_do() -> None:
    with pytest.raises(OperatorError, match=r"^listen 192\.0\.2\.1:1053: .*; no interface of this machine has it"):
        bind_pairs(("192.0.2.1", 1053))


@pytest.mark.parametrize("host", ["0.0.0.0", pytest.param("::", marks=with_ipv6)])
def test_a_wildcard_is_one_pair_for_each_local_address(host: str) -> None:
    family = socket.AF_INET if host == "0.0.0.0" else socket.AF_INET6
    mine = {one.address for each in psutil.net_if_addrs().values() for one in each if one.family == family}
    with bound((host, 0)) as pairs:
        addresses = [udp.getsockname()[0] for udp, _ in pairs]
        assert set(addresses) == {address for address in mine if not address.startswith(("fe80", "169.254"))}
        assert len({udp.getsockname()[1] for udp, _ in pairs}) == 1, "all of the same port"
        assert "127.0.0.1" in addresses or "::1" in addresses


def test_a_second_address_that_fails_closes_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "local_addresses", lambda _: ["127.0.0.1", "192.0.2.1"])
    opened: list[socket.socket] = []
    original = sockets._bind

    def bind(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
        opened.append(original(host, port, kind))
        return opened[-1]

    monkeypatch.setattr(sockets, "_bind", bind)
    with pytest.raises(OperatorError):
        bind_pairs(("0.0.0.0", 0))
    assert len(opened) > 1
    assert {sock.fileno() for sock in opened} == {-1}, "closed"


class Restrained(socket.socket):
    """Of a process without CAP_NET_ADMIN where net.core.rmem_max is 64 KiB."""

    def setsockopt(self, level: int, option: int, value: int) -> None:  # type: ignore[override]
        if option == sockets._SO_RCVBUFFORCE:
            raise PermissionError
        super().setsockopt(level, option, min(value, 1 << 16) if option == socket.SO_RCVBUF else value)


@pytest.mark.parametrize("asked", [1 << 13, 1 << 16, 1 << 18, 1 << 22])
def test_a_buffer_is_never_made_smaller(monkeypatch: pytest.MonkeyPatch, asked: int) -> None:
    """systemd (ReceiveBuffer=) may give more than we may."""
    monkeypatch.setattr(socket, "socket", Restrained)
    with Restrained(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        socket.SocketType.setsockopt(sock, socket.SOL_SOCKET, socket.SO_RCVBUF, asked)
        had = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)  # as much as this machine gives
        sockets.tune(sock)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == max(had, 2 << 16)


@with_ipv6
def test_ipv6_sockets_leave_ipv4_alone() -> None:
    with bound(("::1", 0)) as ((udp, tcp),):
        for sock in (udp, tcp):
            assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    port = free_port()
    with bound(("::1", port)), bound(("127.0.0.1", port)):
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "::1", "192.0.2.1"])
def test_an_address_stays_as_it_is(host: str) -> None:
    assert local_addresses(host) == [host]


def test_addresses_as_people_write_them() -> None:
    assert address_text(("127.0.0.1", 53)) == "127.0.0.1:53"
    assert address_text(("::1", 53)) == "[::1]:53"


def test_a_wildcard_of_a_family_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.net_if_addrs", dict)
    with pytest.raises(
        OperatorError, match=r"listen \[::\]:53: no interface has an address of this family; leave it out"
    ):
        bind_pairs(("::", 53))
