"""Sockets that a parent holds."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dns.message
import dns.query
import pytest
from ports import free_port
from support import PATIENCE

from clusterdns.app import with_sockets
from clusterdns.config import load_settings
from clusterdns.errors import OperatorError
from clusterdns.transports.inherited import inherited_sockets, paired

DEMO = Path(__file__).parent.parent / "zones" / "demo"
UDP, TCP = socket.SOCK_DGRAM, socket.SOCK_STREAM

# What systemd does between fork and exec.
HAND_OVER = """
import os, sys
for place, descriptor in enumerate(map(int, sys.argv[1].split(",")), 3):
    os.dup2(descriptor, place)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(place - 2)}
os.execv(sys.executable, [sys.executable, "-m", "clusterdns", *sys.argv[2:]])
"""


@contextmanager
def opened(*wanted: tuple[int, socket.SocketKind, str]) -> Iterator[list[socket.socket]]:
    """(family, type, address): on one port if several."""
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        port = free_port()
        for family, kind, host in wanted:
            sock = stack.enter_context(socket.socket(family, kind))
            sock.bind((host, port))
            if kind == TCP:
                sock.listen()
            sockets.append(sock)
        yield sockets


def test_a_pair_is_found_by_its_address() -> None:
    with opened((socket.AF_INET, UDP, "127.0.0.1"), (socket.AF_INET, TCP, "127.0.0.1")) as (udp, tcp):
        assert paired([tcp, udp]) == {udp.getsockname(): (udp, tcp)}


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        (
            [(socket.AF_INET, UDP, "127.0.0.1")],
            r"a socket for UDP on 127.0.0.1:\d+ and none for TCP; add ListenStream=",
        ),
        ([(socket.AF_INET, TCP, "127.0.0.1")], r"for TCP on 127.0.0.1:\d+ and none for UDP; add ListenDatagram="),
        ([(socket.AF_INET, UDP, "0.0.0.0")], r"listens on 0.0.0.0:\d+; give it one socket for each address"),
    ],
)
def test_what_cannot_be_served_is_told(wanted: list[tuple[int, socket.SocketKind, str]], complaint: str) -> None:
    with opened(*wanted) as sockets, pytest.raises(OperatorError, match=complaint):
        paired(sockets)


def test_two_sockets_for_the_same_are_told() -> None:
    """The kernel would go on giving queries to both, and one of them would be read by nobody."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, UDP)) for _ in range(2)]
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(("127.0.0.1", sockets[0].getsockname()[1]))
        with pytest.raises(OperatorError, match=r"two sockets for UDP on 127.0.0.1:\d+; leave one out"):
            paired(sockets)


def test_a_socket_of_another_kind_is_told() -> None:
    with socket.socket(socket.AF_UNIX, UDP) as sock, pytest.raises(OperatorError, match="neither UDP nor TCP"):
        paired([sock])


@pytest.mark.parametrize(
    "environ", [{}, {"LISTEN_FDS": "2"}, {"LISTEN_FDS": "2", "LISTEN_PID": "1"}], ids=["none", "nobody's", "another's"]
)
def test_sockets_for_others_are_left_alone(environ: dict[str, str]) -> None:
    assert inherited_sockets(environ, 7) == []
    assert not environ


def test_a_count_that_is_none_is_told() -> None:
    with pytest.raises(OperatorError, match="LISTEN_FDS='two': not a number"):
        inherited_sockets({"LISTEN_FDS": "two", "LISTEN_PID": "7"}, 7)


def served(sockets: list[socket.socket]) -> "subprocess.Popen[str]":
    """Behind its ready line."""
    held = [sock.fileno() for sock in sockets]
    command = [sys.executable, "-c", HAND_OVER, ",".join(map(str, held)), "serve", str(DEMO), "--http", ""]
    process = subprocess.Popen(
        command,
        pass_fds=held,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "CLUSTERDNS_LAMEDUCK": "0"},
    )
    for line in process.stdout or ():
        if line.startswith("ready: "):
            return process
    raise AssertionError(f"ended with {process.wait()}")


def end(process: "subprocess.Popen[str]") -> int:
    process.send_signal(signal.SIGTERM)
    code = process.wait(PATIENCE)
    if process.stdout:
        process.stdout.close()
    return code


def test_a_query_that_comes_while_nobody_serves_is_answered_by_the_next_process() -> None:
    query = dns.message.make_query("web.shop.svc.cluster.local", "A")
    wanted = [(socket.AF_INET, kind, "127.0.0.1") for kind in (UDP, TCP)]
    with opened(*wanted) as (udp, tcp), socket.socket(socket.AF_INET, UDP) as client:
        first = served([udp, tcp])
        host, port = udp.getsockname()
        assert dns.query.udp(query, host, port=port, timeout=PATIENCE).answer
        assert dns.query.tcp(query, host, port=port, timeout=PATIENCE).answer
        assert end(first) == 0

        client.settimeout(PATIENCE)
        client.connect((host, port))
        client.send(query.to_wire())
        second = served([udp, tcp])
        try:
            assert dns.message.from_wire(client.recv(512)).answer
            assert dns.query.tcp(query, host, port=port, timeout=PATIENCE).answer
        finally:
            assert end(second) == 0


def test_another_listen_is_told_to_do_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Once for each change, and not where it says what is so."""
    listens = ["127.0.0.1:1053", "127.0.0.1:5353", "127.0.0.1:5353", "127.0.0.1:1053", "127.0.0.2:53"]
    reading = iter(listens)
    with opened((socket.AF_INET, UDP, "127.0.0.2"), (socket.AF_INET, TCP, "127.0.0.2")) as (udp, tcp):
        inherited = {("127.0.0.2", 53): (udp, tcp)}
        load = with_sockets(lambda: load_settings({"listen": [next(reading)]}, {}), inherited)
        for _ in listens:
            assert load().listen == (("127.0.0.2", 53),)
    assert caplog.messages == [
        f"listen: {address} changes nothing: the sockets are the parent's (LISTEN_FDS), on 127.0.0.2:53; "
        "change ListenDatagram and ListenStream in its socket unit, and restart that"
        for address in ("127.0.0.1:5353", "127.0.0.1:1053")
    ]


def test_a_descriptor_that_is_no_socket_ends_with_a_line() -> None:
    with Path(os.devnull).open("rb") as nothing:
        done = subprocess.run(
            [sys.executable, "-c", HAND_OVER, str(nothing.fileno()), "serve", str(DEMO)],
            pass_fds=[nothing.fileno()],
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert done.returncode == 2
    assert "LISTEN_FDS: descriptor 3 is no socket" in done.stderr
