"""Hostile manifests, made by code: each a folder with one trap beside one good file that must be served.

``python corpus.py FOLDER NAME...`` reads the folders that ``prepare`` has made, with the product's own reader, and
prints a line of JSON for each: what is served, the problems, the peak of this process in octets, seconds of CPU.

Everything is a SCALE-th of its full size, limits too, unless the variable HOSTILE_SCALE says otherwise (1: full).
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec.structs import replace

from clusterdns.cluster.documents import Limits
from clusterdns.sources.reading import load

GOOD = """\
apiVersion: v1
kind: Service
metadata: {name: good, namespace: shop}
spec: {type: ExternalName, externalName: good.example}
"""
SERVICE = GOOD.replace("good", "web")
LIST = '{"apiVersion": "v1", "kind": "List", "items": ['
SCALE = int(os.environ.get("HOSTILE_SCALE", "20"))
MIB = (1 << 20) // SCALE
MANY = 1_000_000 // SCALE

Trap = Callable[[Path], None]


def text(name: str, content: str | bytes) -> Trap:
    data = content if isinstance(content, bytes) else content.encode()

    def trap(folder: Path) -> None:
        (folder / name).write_bytes(data)

    return trap


def made(name: str, make: Callable[[], str | bytes]) -> Trap:
    """Only when it is asked for: some are large."""

    def trap(folder: Path) -> None:
        text(name, make())(folder)

    return trap


def sparse(name: str, octets: int) -> Trap:
    def trap(folder: Path) -> None:
        with (folder / name).open("wb") as file:
            file.truncate(octets)

    return trap


def link(name: str, target: str) -> Trap:
    return lambda folder: (folder / name).symlink_to(target)


def raw_name(name: bytes) -> Trap:
    def trap(folder: Path) -> None:
        with open(os.fsencode(folder) + b"/" + name, "wb") as file:
            file.write(SERVICE.encode())

    return trap


def laughs(levels: int, merge: bool) -> str:
    lines = ["apiVersion: v1", "kind: Service", "a0: &a0 {x: lol}"]
    for level in range(1, levels):
        uses = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} " + (f"{{<<: [{uses}], y{level}: ha}}" if merge else f"[{uses}]"))
    return "\n".join([*lines, "metadata: {name: web, namespace: shop}", f"spec: *a{levels - 1}"])


def many_merges() -> str:
    keys = "".join(f"  k{number}: v\n" for number in range(10_000 // SCALE))
    return f"base: &base\n{keys}" + "".join(f"m{number}: {{<<: *base}}\n" for number in range(9_000))


def slice_of(addresses: Iterator[str]) -> str:
    return json.dumps(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "addressType": "IPv4",
            "metadata": {"name": "web", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
            "endpoints": [{"addresses": [address]} for address in addresses],
        }
    )


def ports(count: int) -> str:
    return SERVICE.replace(
        "spec: {type: ExternalName, externalName: web.example}\n",
        "spec:\n  ports:\n" + '  - {port: "x", name: a_b}\n' * count,
    )


HUGE = "x" * (8 * MIB)

TRAPS: dict[str, Trap] = {
    # Nesting: a recursive composer dies of each of these.
    "nesting of [": text("trap.yaml", "[" * 100_000),
    "nesting of {a: ": text("trap.yaml", "{a: " * 100_000),
    "nesting of - ": text("trap.yaml", "- " * 100_000),
    "nesting of ? ": text("trap.yaml", "? " * 100_000),
    "nesting by indentation": made("trap.yaml", lambda: "".join(" " * n + "a:\n" for n in range(3_000))),
    "nesting of [ in JSON": text("trap.json", "[" * MANY),
    'nesting of {"a": in JSON': text("trap.json", '{"a":' * MANY),
    "nesting of closed [] in JSON": text("trap.json", "[" * MANY + "]" * MANY),
    "nesting inside an item": text("trap.json", LIST + "[" * 100_000 + "]" * 100_000 + "]}"),
    "nesting inside metadata": text(
        "trap.json", '{"apiVersion":"v1","kind":"Pod","metadata":' + '{"a":' * 100_000 + "1" + "}" * 100_001
    ),
    # Aliases and merges.
    "billion laughs": text("trap.yaml", laughs(12, merge=False)),
    "billion laughs through merges": text("trap.yaml", laughs(12, merge=True)),
    "a large mapping merged often": made("trap.yaml", many_merges),
    "an alias of itself": text("trap.yaml", "apiVersion: v1\nkind: Service\nmetadata: &m {name: web, labels: *m}\n"),
    "an alias of the list it is in": text("trap.yaml", "apiVersion: v1\nkind: List\nitems: &i [*i]\n"),
    "a merge of itself": text("trap.yaml", "apiVersion: v1\nkind: Service\nspec: &s {<<: *s}\n"),
    "a million aliases": made("trap.yaml", lambda: "a: &a 1\nb: [" + "*a, " * MANY + "]"),
    "a million anchors": made("trap.yaml", lambda: "".join(f"- &a{n} x\n" for n in range(MANY))),
    # Octets that are no text.
    "a NUL": text("trap.yaml", SERVICE + "# \0\n"),
    "a NUL in JSON": text("trap.json", '{"apiVersion": "v1\0"}'),
    "an escaped NUL": text("trap.yaml", SERVICE.replace("web,", '"we\\0b",')),
    "UTF-16 with BOM": text("trap.yaml", SERVICE.encode("utf-16")),
    "UTF-16 without BOM": text("trap.yaml", SERVICE.encode("utf-16-le")),
    "UTF-32": text("trap.yaml", SERVICE.encode("utf-32")),
    "Latin-1": text("trap.yaml", SERVICE.replace("web,", "w\u00e9b,").encode("latin-1")),
    "a surrogate": text("trap.yaml", SERVICE.encode() + b"x: \xed\xa0\x80\n"),
    "random octets": text("trap.yaml", bytes((n * 7919 + n // 251) % 256 for n in range(100_000))),
    "a gzip file": text("trap.json", bytes.fromhex("1f8b0800000000000003") + b"\x5a" * 1000),
    "control characters": text("trap.yaml", SERVICE.replace("web,", "w\x1b[31mb,")),
    "a BOM in the middle": text("trap.yaml", SERVICE.encode() + b"---\n\xef\xbb\xbfkind: [\n"),
    # Keys.
    "a key twice": text("trap.yaml", SERVICE + "kind: Service\n"),
    "a million keys": made("trap.yaml", lambda: SERVICE + "x:\n" + "".join(f"  k{n}: v\n" for n in range(MANY))),
    "a million labels": made(
        "trap.json",
        lambda: (
            '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"UP","labels":{'
            + ",".join(f'"k{n}/":"!"' for n in range(MANY))
            + "}}}"
        ),
    ),
    "a million fields of a Service": made(
        "trap.yaml", lambda: SERVICE.split("spec:")[0] + "spec:\n" + "".join(f"  portz{n}: v\n" for n in range(MANY))
    ),
    "a million equal keys in JSON": made("trap.json", lambda: "{" + ",".join(['"kind":1'] * MANY) + "}"),
    "keys that are mappings": text("trap.yaml", "? {a: 1}\n: b\n"),
    # Numbers of things.
    "a million documents": made("trap.yaml", lambda: "---\na: 1\n" * MANY),
    "a million broken documents": made("trap.yaml", lambda: "---\na: [\n" * MANY),
    "a million documents of one object": made("trap.yaml", lambda: ("---\n" + SERVICE) * (MANY // 9)),
    "a million empty documents": made("trap.yaml", lambda: "---\n" * MANY),
    "a million JSON numbers": made("trap.json", lambda: "1\n" * MANY),
    "a million JSON objects": made("trap.json", lambda: "{}\n" * MANY),
    "a million broken JSON lines": made("trap.json", lambda: '{"a":\n' * MANY),
    "a million open brackets, each on a line": made("trap.json", lambda: "[1,\n" * MANY),
    "a million tiny items": made("trap.json", lambda: LIST + ",".join(["1"] * MANY) + "]}"),
    "as many tiny items as a file may hold": made("trap.json", lambda: LIST + ",".join(["1"] * (120 * MIB)) + "]}"),
    "as many empty items as a file may hold": made(
        "trap.json", lambda: LIST.replace('"List"', '"PodList"') + ",".join(["{}"] * (80 * MIB)) + "]}"
    ),
    "as many keys as a file may hold": made(
        "trap.json", lambda: "{" + ",".join(map('"k{}":1'.format, range(16 * MANY))) + "}"
    ),
    "a million items of an unknown kind": made(
        "trap.json", lambda: LIST + ",".join(f'{{"apiVersion":"v1","kind":"K{n}"}}' for n in range(MANY)) + "]}"
    ),
    "a million items without a name": made(
        "trap.json", lambda: LIST + ",".join(['{"apiVersion":"v1","kind":"Service"}'] * MANY) + "]}"
    ),
    "a million endpoints with a mistake": made("trap.json", lambda: slice_of(f"10.0.0.{n}" for n in range(256, MANY))),
    "a hundred thousand ports with mistakes": made("trap.yaml", lambda: ports(MANY // 10)),
    "a million values in YAML": made("trap.yaml", lambda: "- a\n" * (4 * MANY)),
    "five million lines and a tab": made("trap.yaml", lambda: "a:\n" + "  - x\n" * (2 * MANY) + "\tb: c\n"),
    # Sizes.
    "a sparse file of 1 GB": sparse("trap.json", 1 << 30),
    "a sparse YAML file of 1 GB": sparse("trap.yaml", 1 << 30),
    "a sparse YAML file below the limit of JSON": sparse("trap.yaml", 250 * MIB),
    "17 MiB of YAML": made(
        "trap.yaml", lambda: SERVICE + "# " + "x" * 77 + "\n" + ("#" * 79 + "\n") * (17 * MIB // 80)
    ),
    "a huge scalar": made("trap.yaml", lambda: SERVICE + f"x: {HUGE}\n"),
    "a huge name": made("trap.yaml", lambda: SERVICE.replace("web,", HUGE + ",")),
    "a huge name in JSON": made(
        "trap.json", lambda: json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": HUGE}})
    ),
    "a huge kind": made("trap.yaml", lambda: SERVICE.replace("kind: Service", f"kind: {HUGE}")),
    "a huge key twice": made("trap.yaml", lambda: f'"{HUGE[: MIB // 2]}": 1\n"{HUGE[: MIB // 2]}": 2\n'),
    "a huge number": made("trap.yaml", lambda: ports(1).replace('"x"', "9" * MIB)),
    "a huge number in JSON": made(
        "trap.json",
        lambda: (
            '{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":{"ports":[{"port":'
            + "9" * MIB
            + "}]}}"
        ),
    ),
    # Text that would garble a log.
    "a name with a line break": text("trap.yaml", SERVICE.replace("web,", '"we\\nERROR forged",')),
    "a value with escape characters": text("trap.yaml", SERVICE.replace("web.example", '"\\e[2J\\e[31m"')),
    "a key with escape characters": text("trap.yaml", '"\\e[2J": 1\n"\\e[2J": 1\n'),
    "a kind with a line break": text("trap.json", '{"apiVersion": "v1", "kind": "Pod\\nERROR", "metadata": 7}'),
    "a link to where the name forges a line": link("trap.yaml", "nowhere\nERROR forged"),
    "a file name with a line break": raw_name(b"trap\nERROR.yaml"),
    "a file name with escape characters": raw_name(b"trap\x1b[2J.yaml"),
    "a file name that is not UTF-8": raw_name(b"trap-\xff\xfe.yaml"),
    # What is no file.
    "a FIFO": lambda folder: os.mkfifo(folder / "trap.yaml"),
    "a link to /dev/zero": link("trap.yaml", "/dev/zero"),
    "a link to a terminal": link("trap.yaml", "/dev/tty"),
    "a link to itself": link("trap.yaml", "trap.yaml"),
    "a link to nowhere": link("trap.yaml", "nowhere.yaml"),
    "a link to a file of the system without an end": link("trap.yaml", "/proc/kmsg"),
}


# These are no mistake that anybody can be told of: too large, but in order.
QUIET = {"a million empty documents", "a huge scalar", "a huge kind", "a kind with a line break"}
LARGE = {name for name in TRAPS if name.startswith("as many")}  # hundreds of MiB each


def prepare(name: str, folder: Path) -> None:
    folder.mkdir()
    TRAPS[name](folder)
    (folder / "zz-good.yaml").write_text(GOOD)
    for path in folder.iterdir():
        if not path.is_symlink():
            os.utime(path, (1_700_000_000, 1_700_000_000))


def limits() -> Limits:
    full = Limits()
    scaled = ("octets", "json_octets", "documents", "items", "object_octets", "nodes", "aliases", "anchors", "keys")
    return replace(full, **{name: getattr(full, name) // SCALE for name in scaled})


def measure(folder: str) -> dict[str, object]:
    before = time.process_time()
    loaded = load([folder], limits=limits())
    return {
        "served": sorted(item.key.name for item in loaded.objects),
        "problems": [str(problem).removeprefix(f"{folder}/") for problem in loaded.report.problems],
        "peak": peak(),
        "seconds": time.process_time() - before,
    }


def peak() -> int:
    """Octets.  Not ``ru_maxrss``: that of a process which was forked begins with its parent's."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) << 10 if found else 0


if __name__ == "__main__":
    for name in sys.argv[2:]:
        print(json.dumps({"name": name} | measure(os.path.join(sys.argv[1], name.replace("/", "|")))), flush=True)
