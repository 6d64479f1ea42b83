"""One object read again at its place, as the API would hold it."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from clusterdns.cluster.decode import DocumentCache, decode_file
from clusterdns.cluster.model import Object
from clusterdns.cluster.written import written_tree
from clusterdns.sources.reread import Rereader

FILES = {
    "yaml": """\
# one
kind: ConfigMap
apiVersion: v1
metadata: {name: other}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {version: 1, on: true}}
spec: {ports: [{port: 80, targetPort: "http"}], sessionAffinity: None, publishNotReadyAddresses: true}
""",
    "a list": """\
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: other}, spec: {clusterIP: None}}
- apiVersion: v1
  kind: Service
  metadata: {name: web, labels: {version: "1", on: "true"}}
  spec: {ports: [{port: 80, targetPort: http}], sessionAffinity: None, publishNotReadyAddresses: true}
""",
    "JSON": """\
{"apiVersion": "v1", "kind": "ServiceList", "items": [
 {"metadata": {"name": "other"}, "spec": {"clusterIP": "None"}},
 {"metadata": {"name": "web", "labels": {"version": "1", "on": "true"}},
  "spec": {"ports": [{"port": 80, "targetPort": "http"}], "sessionAffinity": "None", "publishNotReadyAddresses": true}}
]}
""",
    "flow style": """\
{apiVersion: v1, kind: Service, metadata: {name: web, labels: {version: "1", on: "true"}},
 spec: {ports: [{port: 80, targetPort: http}], sessionAffinity: None, publishNotReadyAddresses: true}}
""",
}
EXPECTED = {
    "metadata": {"name": "web", "labels": {"version": "1", "on": "true"}},
    "spec": {
        "ports": [{"port": 80, "targetPort": "http"}],
        "sessionAffinity": "None",
        "publishNotReadyAddresses": True,
    },
}


def web_of(data: bytes, path: str = "f") -> Object:
    return next(item for item in decode_file(data, path, DocumentCache()).objects if item.key.name == "web")


def reread(data: bytes, item: Object) -> dict[str, Any] | None:
    return written_tree(lambda offset, octets: data[offset : offset + octets], item)


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
@pytest.mark.parametrize("padding", [0, 1, 20_000], ids=["", "a little more", "beyond one read"])
def test_objects_are_found_again(text: str, padding: int) -> None:
    data = text.encode()
    if padding and text.startswith(("{", " {")):
        data = text.replace('"other"', f'"other", "x": "{"y" * padding}"').encode()
    elif padding:
        data = f"# {'y' * padding}\n".encode() + data
    found = reread(data, web_of(data)) or {}
    assert {name: found.get(name) for name in EXPECTED} == EXPECTED


def test_a_long_object_is_read_whole() -> None:
    note = "x" * 100_000
    last = (
        f"kind: Service\napiVersion: v1\nmetadata: {{name: b, annotations: {{n: {note}}}}}\nspec: {{clusterIP: None}}\n"
    )
    data = f"{FILES['yaml']}---\n{last}".encode()
    item = next(one for one in decode_file(data, "f", DocumentCache()).objects if one.key.name == "b")
    assert (reread(data, item) or {})["metadata"]["annotations"] == {"n": note}


def test_another_object_at_its_place_is_not_it() -> None:
    data = FILES["yaml"].encode()
    item = web_of(data)
    assert reread(data.replace(b"web", b"wob"), item) is None
    assert reread(b"", item) is None
    assert reread(data[: item.place.offset] + b"a: [", item) is None


def test_files_that_are_gone(tmp_path: Path) -> None:
    path = tmp_path / "web.yaml"
    path.write_text(FILES["yaml"])
    item = web_of(path.read_bytes(), str(path))
    with Rereader() as written:
        assert (written(item) or {})["metadata"]["name"] == "web"
    path.unlink()
    with Rereader() as written:
        assert written(item) is None
        assert written(replace(item, place=replace(item.place, line=0))) is None
