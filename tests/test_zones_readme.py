"""Every dig line of ``zones/README.md``, against a server that really runs: with dig, and with dnspython."""

import shutil
import subprocess
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import dns.message
import dns.query
import dns.rcode
import dns.reversename
import pytest
import yaml
from support import Server, serving

ZONES = Path(__file__).parent.parent / "zones"
WRITTEN_FOR = "dig @127.0.0.1 -p 1053 "
STATUS = " | grep -o 'status: [A-Z]*'"


class Example(NamedTuple):
    line: int
    command: str
    output: tuple[str, ...]

    def __str__(self) -> str:
        return f"line {self.line}: {self.command.removeprefix(WRITTEN_FOR)}"


def examples() -> Iterator[Example]:
    """The commands of the ``console`` blocks and what stands under each."""
    inside, found = False, list[tuple[int, str, list[str]]]()
    for number, line in enumerate((ZONES / "README.md").read_text().splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif inside and line.startswith("$ "):
            found.append((number, line[2:], []))
        elif inside:
            found[-1][2].append(line)
    return (Example(number, command, tuple(output)) for number, command, output in found)


EXAMPLES = list(examples())
every_example = pytest.mark.parametrize("example", EXAMPLES, ids=str)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(ZONES / "demo") as running:
        yield running


def test_the_readme_has_its_examples() -> None:
    assert len(EXAMPLES) > 50
    assert all(example.command.startswith(WRITTEN_FOR) for example in EXAMPLES)


def test_every_service_of_the_demo_is_asked_for() -> None:
    asked = " ".join(example.command for example in EXAMPLES)
    for path in (ZONES / "demo").rglob("*.yaml"):
        for document in yaml.safe_load_all(path.read_text()):
            named = document["metadata"]
            assert document["kind"] != "Service" or f"{named['name']}.{named['namespace']}.svc." in asked


@pytest.mark.skipif(not shutil.which("dig"), reason="dig is not installed")
@every_example
def test_with_dig(example: Example, server: Server) -> None:
    command = example.command.replace(WRITTEN_FOR, f"dig @{server.address} -p {server.port} +tries=1 +time=10 ", 1)
    # The line as a person types it, its pipe included.
    done = subprocess.run(command, check=False, shell=True, capture_output=True, text=True, timeout=30)
    assert lines(done.stdout.splitlines()) == lines(example.output), done.stdout + done.stderr


@every_example
def test_with_dnspython(example: Example, server: Server) -> None:
    assert lines(ask(example.command.removeprefix(WRITTEN_FOR), server)) == lines(example.output)


def lines(text: list[str] | tuple[str, ...]) -> list[str]:
    """Without regard to columns, and to the order of records, which means nothing."""
    return sorted(" ".join(line.split()) for line in text)


def ask(words: str, server: Server) -> list[str]:
    """What dig would print; knows the options that the README uses, and refuses others."""
    status_only = words.endswith(STATUS)
    parser = ArgumentParser(prefix_chars="-+", exit_on_error=False)
    for option in ("+short", "+tcp", "+noall", "+answer", "+additional"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("-x")
    parser.add_argument("question", nargs="*")
    asked = parser.parse_args(words.removesuffix(STATUS).split())
    name, rtype = (dns.reversename.from_address(asked.x), "PTR") if asked.x else asked.question
    query = dns.message.make_query(name, rtype, use_edns=0)
    send = dns.query.tcp if asked.tcp else dns.query.udp
    response = send(query, server.address, timeout=10, port=server.port)
    if status_only:
        return [f"status: {dns.rcode.to_text(response.rcode())}"]
    if asked.short:
        return [record.to_text() for rrset in response.answer for record in rrset]
    section = response.additional if asked.additional else response.answer
    return [line for rrset in section for line in rrset.to_text().splitlines()]
