"""What a service manager is told."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import PATIENCE

from clusterdns.supervisor import Supervisor

DEMO = Path(__file__).parent.parent / "zones" / "demo"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(PATIENCE)
        yield sock


def told(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().splitlines()


def test_messages(manager: socket.socket) -> None:
    supervisor = Supervisor({"NOTIFY_SOCKET": manager.getsockname()}, 7)
    supervisor.ready("serving\nall")
    supervisor.reloading()
    supervisor.stopping()
    assert told(manager) == ["READY=1", "STATUS=serving all"]
    word, clock = told(manager)
    assert word == "RELOADING=1"
    assert clock.startswith("MONOTONIC_USEC=")
    assert told(manager)[0] == "STOPPING=1"


def test_who_is_going_is_not_ready_again(manager: socket.socket) -> None:
    """A reload may be under way when the end comes."""
    supervisor = Supervisor({"NOTIFY_SOCKET": manager.getsockname()}, 7)
    supervisor.reloading()
    supervisor.stopping()
    supervisor.ready("serving")
    supervisor.reloading()
    supervisor.stopping()
    assert [told(manager)[0] for _ in range(3)] == ["RELOADING=1", "STOPPING=1", "STOPPING=1"]


def test_a_name_of_the_abstract_namespace() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0clusterdns-test-{os.getpid()}")
        sock.settimeout(PATIENCE)
        Supervisor({"NOTIFY_SOCKET": f"@clusterdns-test-{os.getpid()}"}, 7).ready("serving")
        assert told(sock)[0] == "READY=1"


def test_nobody_to_tell_is_no_fault(tmp_path: Path) -> None:
    Supervisor({}, 7).ready("serving")
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "gone")}, 7).ready("serving")


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "often"}, {"WATCHDOG_USEC": "5000", "WATCHDOG_PID": "8"}],
    ids=["not asked", "zero", "no number", "another's"],
)
def test_nobody_watches(environ: dict[str, str], tmp_path: Path) -> None:
    asyncio.run(Supervisor(environ | {"NOTIFY_SOCKET": str(tmp_path / "gone")}, 7).run())


def test_a_sign_of_life_comes_again_and_again(manager: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "5000", "WATCHDOG_PID": "7"}

    async def watched() -> None:
        living = asyncio.create_task(Supervisor(environ, 7).run())
        for _ in range(3):
            assert await asyncio.to_thread(told, manager) == ["WATCHDOG=1"]
        living.cancel()

    asyncio.run(watched())


def test_the_server_tells_its_start_its_reloads_and_its_end(manager: socket.socket) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CLUSTERDNS_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "clusterdns", "serve", str(DEMO), "--listen", "127.0.0.1:0", "--http", ""],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environ | {"NOTIFY_SOCKET": manager.getsockname(), "CLUSTERDNS_LAMEDUCK": "0"},
    )
    try:
        assert told(manager)[0] == "READY=1"
        process.send_signal(signal.SIGHUP)
        assert told(manager)[0] == "RELOADING=1"
        assert told(manager)[0] == "READY=1"
        process.send_signal(signal.SIGTERM)
        assert told(manager)[0] == "STOPPING=1"
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
