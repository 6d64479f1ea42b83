"""A pod's own way to its API server."""

import asyncio
from pathlib import Path

import pytest

from clusterdns.errors import OperatorError
from clusterdns.sources.kubernetes.access import Access
from clusterdns.sources.kubernetes.in_cluster import InCluster

INSIDE = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def account(folder: Path, token: str = "first\n") -> Path:
    folder.joinpath("token").write_text(token)
    folder.joinpath("ca.crt").write_text("PEM")
    return folder


def access(folder: Path, **environment: str) -> Access:
    return asyncio.run(InCluster(INSIDE | environment, str(folder)).access())


def test_token_and_authority_are_read_again(tmp_path: Path) -> None:
    credentials = InCluster(INSIDE, str(account(tmp_path)))
    first = asyncio.run(credentials.access())
    assert first == Access("https://10.96.0.1:443", b"PEM", headers=(("Authorization", "Bearer first"),))
    account(tmp_path, "second")
    assert asyncio.run(credentials.access()).headers == (("Authorization", "Bearer second"),)


def test_ipv6(tmp_path: Path) -> None:
    assert access(account(tmp_path), KUBERNETES_SERVICE_HOST="fd00::1").server == "https://[fd00::1]:443"


@pytest.mark.parametrize("name", ["token", "ca.crt"])
def test_what_is_missing_is_named(tmp_path: Path, name: str) -> None:
    account(tmp_path).joinpath(name).write_text("  ")
    with pytest.raises(OperatorError, match=f"{name}: empty; .*automountServiceAccountToken"):
        access(tmp_path)
    tmp_path.joinpath(name).unlink()
    with pytest.raises(OperatorError, match=f"{name}: No such file or directory; .*automountServiceAccountToken"):
        access(tmp_path)


def test_a_token_of_several_lines_is_none(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="several lines"):
        access(account(tmp_path, "a\nb"))


def test_outside(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="no pod of a cluster; name a kubeconfig"):
        access(account(tmp_path), KUBERNETES_SERVICE_HOST="")


def test_where_it_is_is_known_without_the_credentials(tmp_path: Path) -> None:
    """A snapshot can be served meanwhile."""
    assert asyncio.run(InCluster(INSIDE, str(account(tmp_path))).place()) == ("https://10.96.0.1:443", b"PEM")
    assert asyncio.run(InCluster(INSIDE, str(tmp_path / "gone")).place()) == ("https://10.96.0.1:443", b"")
