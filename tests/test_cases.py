"""Every table of ``tests/cases``: in this process, fresh and by edits, and over the sockets of a server that runs."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest
from cases import Case, Question, all_cases, answer_lines, parse, same
from support import PATIENCE, Answer, Server, edited_world, serving, world, write_manifests

CASES = all_cases()
every_case = pytest.mark.parametrize("case", CASES, ids=str)


@every_case
def test_in_this_process(case: Case) -> None:
    judge(case, world(case.manifests, **case.settings))


@every_case
def test_reached_by_edits(case: Case) -> None:
    """A server that has seen other clusters before, the cases above and below this one, answers like a fresh one."""
    at = CASES.index(case)
    others = "\n---\n".join(dict.fromkeys(CASES[(at + step) % len(CASES)].manifests for step in (-9, -1, 1, 9)))
    questions = [question.message().to_wire() for question in case.questions]
    judge(case, edited_world(case.manifests, others, questions, case.title, **case.settings))


@every_case
def test_over_sockets(case: Case, servers: "Servers") -> None:
    server = servers.of(case)

    def answer(query: bytes, transport: str) -> bytes | None:
        message = dns.message.from_wire(query)
        ask = dns.query.udp if transport == "udp" else dns.query.tcp
        response = ask(message, server.address, timeout=PATIENCE, port=server.port, one_rr_per_rrset=True)
        return response.wire

    judge(case, answer)


def test_every_cut_of_every_query_gets_an_error_or_silence() -> None:
    answer = world(CASES[0].manifests)
    for query in (question.message().to_wire() for case in CASES for question in case.questions):
        for length in range(len(query)):
            response = answer(query[:length], "udp")
            if response is not None:
                whole = dns.message.from_wire(response)
                assert (whole.id, whole.rcode(), whole.answer) == (int.from_bytes(query[:2]), dns.rcode.FORMERR, [])


def judge(case: Case, answer: Answer) -> None:
    """All questions are asked before the verdict: one run shows everything that is wrong."""
    wrong = [
        fault for question in case.questions for way in question.transports if (fault := ask(question, way, answer))
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def ask(question: Question, transport: str, answer: Answer) -> str:
    """What is wrong with the answer, or ""."""
    query = question.message()
    response = answer(query.to_wire(), transport)
    if response is None:
        return f"{question} ({transport})\n  no response"
    got = answer_lines(response)
    if not same(question.expected, got):
        expected = "\n  ".join(question.expected)
        return f"{question} ({transport})\n  {expected}\n got\n  " + "\n  ".join(got)
    message = dns.message.from_wire(response)
    # Spelling included: resolvers that vary the case of letters compare it.
    if message.id != query.id or message.question[0].to_text() != query.question[0].to_text():
        return f"{question} ({transport})\n  the question came back as {message.question[0].to_text()}"
    return ""


class Servers:
    """One running server for all worlds of equal settings: from case to case its folder changes under it.

    A namespace that only this world has makes every change one that the server tells of in its log; a round is
    published as a whole.  Only so many servers run at a time.
    """

    AT_ONCE = 3

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: dict[str, tuple[Path, Server, ExitStack]] = {}  # by settings; the last used comes last
        self._worlds: dict[str, str] = {}  # what each serves
        self._count = 0

    def of(self, case: Case) -> Server:
        manifests, settings = case.world
        if settings not in self._servers:
            self._start(case, settings)
        elif self._worlds[settings] != manifests:
            self._change(manifests, settings)
        self._worlds[settings] = manifests
        self._servers[settings] = self._servers.pop(settings)
        return self._servers[settings][1]

    def close(self) -> None:
        while self._servers:
            self._stop(next(iter(self._servers)))

    def _start(self, case: Case, settings: str) -> None:
        if len(self._servers) >= self.AT_ONCE:
            self._stop(next(iter(self._servers)))
        folder = self._folder / str(self._count)
        folder.mkdir()
        write_manifests(folder, self._marked(case.manifests))
        stack = ExitStack()
        self._servers[settings] = folder, stack.enter_context(serving(folder, **case.settings)), stack

    def _stop(self, settings: str) -> None:
        _, _, stack = self._servers.pop(settings)
        stack.close()

    def _change(self, manifests: str, settings: str) -> None:
        folder, server, _ = self._servers[settings]
        before = self._rounds(server)
        write_manifests(folder, self._marked(manifests))
        deadline = time.monotonic() + PATIENCE
        while self._rounds(server) == before:
            assert time.monotonic() < deadline, "".join(server.output)
            time.sleep(0.01)

    def _marked(self, manifests: str) -> str:
        self._count += 1
        return f"{manifests}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: world-{self._count}}}\n"

    @staticmethod
    def _rounds(server: Server) -> int:
        """How many rounds with a change it has told of."""
        return sum(bool(re.search(r"round \d+: [1-9]\d* objects? changed", line)) for line in server.output)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    running = Servers(tmp_path_factory.mktemp("worlds"))
    yield running
    running.close()


SAMPLE = """
## one
---settings
ttl: 30
---manifests
kind: Service
---
kind: Pod
---answers
# a note
web.shop A AAAA +bufsize=512
  NOERROR   aa
  web.shop. 30 IN A 10.0.0.2
  web.shop. 30 IN A 10.0.0.1

version.bind TXT CH +tcp
  REFUSED
## two, of the same world
---answers
web.shop SRV
  NXDOMAIN aa
"""


def test_the_format_reads_as_it_is_described() -> None:
    one, two = parse(SAMPLE, "sample.txt")
    assert one.settings == {"ttl": 30}
    assert one.manifests == "kind: Service\n---\nkind: Pod"
    a, aaaa, chaos = one.questions
    assert (a.rtype, aaaa.rtype, chaos.rtype, chaos.rclass) == ("A", "AAAA", "TXT", "CH")
    assert (a.payload, a.transports, chaos.transports) == (512, ("udp", "tcp"), ("tcp",))
    assert a.expected == ("NOERROR aa", "web.shop. 30 IN A 10.0.0.1", "web.shop. 30 IN A 10.0.0.2")
    assert two.world == one.world


@pytest.mark.parametrize(
    "text", ["stray\n", "## no answers\n---manifests\nkind: Pod\n", "## no world\n---answers\na A\n  NOERROR\n"]
)
def test_a_table_out_of_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"sample\.txt:"):
        parse(text, "sample.txt")
