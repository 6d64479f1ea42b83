"""kubeconfig files: what kubectl takes, and what a person is told who wrote something else."""

import asyncio
import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusterdns.errors import OperatorError
from clusterdns.sources.kubernetes.access import Access
from clusterdns.sources.kubernetes.kubeconfig import Kubeconfig

PEM = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"


def inline(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def config(user: dict[str, Any], **cluster: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443"} | cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [
            {"name": "prod", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
            {"name": "nobody", "context": {"cluster": "c", "user": ""}},
            {"name": "nowhere", "context": {"cluster": "gone", "user": "u"}},
            {"name": "stranger", "context": {"cluster": "c", "user": "gone"}},
        ],
        "current-context": "prod",
    }


def access(folder: Path, tree: Any, context: str = "") -> Access:
    path = folder / "config"
    path.write_text(tree if isinstance(tree, str) else yaml.safe_dump(tree))
    return asyncio.run(Kubeconfig(str(path), context).access())


def test_a_token(tmp_path: Path) -> None:
    found = access(tmp_path, config({"token": "secret"}))
    assert found == Access("https://10.0.0.1:6443", headers=(("Authorization", "Bearer secret"),))


def test_everything_inline(tmp_path: Path) -> None:
    user = {"client-certificate-data": inline(PEM), "client-key-data": inline(PEM)}
    cluster = {
        "server": "https://proxy.example/clusters/a/",
        "certificate-authority-data": inline(PEM),
        "tls-server-name": "kubernetes",
        "proxy-url": "http://127.0.0.1:3128",
    }
    octets = PEM.encode()
    assert access(tmp_path, config(user, **cluster)) == Access(
        "https://proxy.example/clusters/a",
        octets,
        octets,
        octets,
        server_name="kubernetes",
        proxy="http://127.0.0.1:3128",
    )


def test_files_beside_it_are_read_again(tmp_path: Path) -> None:
    for name in ("ca.crt", "me.crt", "me.key"):
        (tmp_path / name).write_text(PEM)
    (tmp_path / "token").write_text("first\n")
    user = {"client-certificate": "me.crt", "client-key": str(tmp_path / "me.key"), "tokenFile": "token"}
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config(user, **{"certificate-authority": "ca.crt"})))
    credentials = Kubeconfig(str(path))
    found = asyncio.run(credentials.access())
    assert (found.authority, found.certificate, found.key) == (PEM.encode(),) * 3
    assert found.headers == (("Authorization", "Bearer first"),)
    (tmp_path / "token").write_text("second")
    assert asyncio.run(credentials.access()).headers == (("Authorization", "Bearer second"),)
    path.write_text(yaml.safe_dump(config({"token": "third"})))
    assert asyncio.run(credentials.access()).headers == (("Authorization", "Bearer third"),)


def test_contexts(tmp_path: Path) -> None:
    tree = config({"token": "secret"}, **{"insecure-skip-tls-verify": True})
    assert access(tmp_path, tree).insecure
    assert access(tmp_path, tree, "nobody").headers == ()
    assert Kubeconfig("/a").origin == "/a"
    assert Kubeconfig("/a", "prod").origin == '/a, context "prod"'


def test_other_users(tmp_path: Path) -> None:
    basic = access(tmp_path, config({"username": "me", "password": "pw"}))
    assert basic.headers == (("Authorization", "Basic bWU6cHc="),)
    acting = access(tmp_path, config({"token": "t", "as": "dns", "as-groups": ["a", "b"]}))
    assert acting.headers[1:] == (
        ("Impersonate-User", "dns"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
    )


def test_json_and_nulls(tmp_path: Path) -> None:
    tree = config({"token": "secret", "exec": None, "client-key": None}) | {"extensions": None}
    assert access(tmp_path, json.dumps(tree)).headers


@pytest.mark.parametrize(
    ("tree", "context", "message"),
    [
        ("a: [", "", r"config:1: .*; mend the YAML"),
        ("a: *b", "", r"config:1: .*; mend the YAML"),
        ("[" * 5000, "", r"mend the YAML"),
        ("\x00", "", r"mend the YAML"),
        ("- a", "", "no kubeconfig; name a file with clusters, users and contexts"),
        ("", "", "no kubeconfig"),
        ({"clusters": 7}, "", r"Expected `array \| null`.*clusters"),
        ({}, "", "no current-context; name a context"),
        (config({}), "dev", 'no context "dev"; choose one that is there: nobody, nowhere, prod, stranger'),
        (config({}), "nowhere", 'context "nowhere": no cluster "gone"'),
        (config({}), "stranger", 'context "stranger": no user "gone"'),
        (config({}, server="10.0.0.1"), "", 'context "prod": server "10.0.0.1" is no URL; write https://HOST:PORT'),
        (config({"auth-provider": {"name": "gcp"}}), "", "auth-provider is gone .* use an exec plugin"),
        (config({"client-certificate-data": inline(PEM)}), "", "needs its key"),
        (config({"client-key-data": "!"}), "", "client-key-data is no base64"),
        (config({}, **{"certificate-authority-data": inline("x")}), "", "certificate-authority-data is no PEM"),
        (config({}, **{"certificate-authority": "gone.crt"}), "", "gone.crt: .*No such file.*certificate-authority"),
        (config({"tokenFile": "gone"}), "", "gone: .*No such file"),
        (config({"tokenFile": os.devnull}), "", "tokenFile is empty"),
        (config({"token": "a\nb"}), "", "of several lines"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, tree: Any, context: str, message: str) -> None:
    with pytest.raises(OperatorError, match=message) as caught:
        access(tmp_path, tree, context)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path)) or os.devnull in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="gone: No such file or directory; name a kubeconfig that can be read"):
        asyncio.run(Kubeconfig(str(tmp_path / "gone")).access())
    with pytest.raises(OperatorError, match="name a kubeconfig that can be read"):
        asyncio.run(Kubeconfig(str(tmp_path)).access())
