"""Names that are nearly those of settings: in files, which are told from manifests by them, and in the environment."""

import logging
import os
from pathlib import Path

import pytest
from support import write_manifests

from clusterdns.cli.main import run
from clusterdns.config_names import is_config, odd_variables

FILES = {
    "ttl: 5\n# x\nlisten: []\n": True,
    "listn: x\nttl: 5\nhttp:\n": True,
    "TTL: 5\n": True,
    "max-udp-octets: 512\nListen: x\n": True,
    "tll: 5\nlistne: 5\nimage: x\n": True,
    "kind: Service\nmetadata:\n  name: ttl\n": False,
    "replicas: 2\nimage: x\nhttp: 80\n": False,
    "services:\n  web: {}\nvolumes: {}\n": False,  # of docker compose
    "": False,
}


@pytest.mark.parametrize(("text", "expected"), FILES.items(), ids=FILES)
def test_a_file_of_settings_is_told_from_a_manifest(text: str, expected: bool) -> None:
    assert is_config(text) is expected
    assert is_config(text, "configs/clusterdns.yaml") is ("kind" not in text)


VARIABLES = {
    "CLUSTERDNS_UPSTREM": "CLUSTERDNS_UPSTREAM",
    "CLUSTERDNS_upstream": "CLUSTERDNS_UPSTREAM",
    "CLUSTERDNS_POD_CIDRS": "CLUSTERDNS_POD_CIDR",
    "CLUSTERDNS_HTTPTOKEN": "CLUSTERDNS_HTTP_TOKEN",
    "CLUSTERDNS_UPSTREAM": "",
    "CLUSTERDNS_CONFIG": "",
    "CLUSTERDNS_TESTBED": "",
    "CLUSTERDNS_ELSE": "",  # of somebody else
    "CLUSTERDN_TTL": "",
    # Of kubelet, for Services called clusterdns and clusterdns-http.
    "CLUSTERDNS_SERVICE_HOST": "",
    "CLUSTERDNS_SERVICE_PORT": "",
    "CLUSTERDNS_SERVICE_PORT_DNS_TCP": "",
    "CLUSTERDNS_PORT": "",
    "CLUSTERDNS_PORT_53_UDP": "",
    "CLUSTERDNS_PORT_53_UDP_ADDR": "",
    "CLUSTERDNS_HTTP_SERVICE_HOST": "",
    "CLUSTERDNS_HTTP_PORT_9153_TCP_PROTO": "",
}


@pytest.mark.parametrize(("variable", "meant"), VARIABLES.items(), ids=VARIABLES)
def test_variables_that_do_nothing(variable: str, meant: str) -> None:
    told = [str(problem) for problem in odd_variables({variable: "1", "PATH": "/bin", "TTL": "5"})]
    text = f"{variable}: warning CD900: no setting of that name, so it has no effect; write {meant}"
    assert told == ([text] if meant else [])


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CLUSTERDNS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CLUSTERDNS_UPSTREM", "10.0.0.1")


@pytest.mark.usefixtures("odd")
def test_check_and_show_tell_of_variables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_text("ttl: 5\n")
    assert run(["check", str(tmp_path / "c.yaml")]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("CLUSTERDNS_UPSTREM: warning CD900: ")
    assert err == "1 configuration file: 0 errors; 1 variable without effect\n"
    assert run(["check", "--strict", str(tmp_path / "c.yaml")]) == 1
    capsys.readouterr()
    assert run(["config", "show"]) == 0
    assert capsys.readouterr().err.startswith("CLUSTERDNS_UPSTREM: warning CD900: ")


@pytest.mark.usefixtures("odd")
def test_serve_tells_of_variables(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterdns.app.asyncio.run", lambda coroutine: coroutine.close())
    with caplog.at_level(logging.WARNING):
        run(["serve", "zones/demo"])
    assert caplog.messages == [
        "CLUSTERDNS_UPSTREM: no setting of that name, so it has no effect; write CLUSTERDNS_UPSTREAM"
    ]


STRAY = "CD107: no Kubernetes object: without apiVersion and kind; skipped; write them if it is meant for a cluster"


def test_settings_beside_manifests_are_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_manifests(tmp_path, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    (tmp_path / "clusterdns.yaml").write_text("TTL: 5\n")
    (tmp_path / "other.yaml").write_text("image: x\n")
    assert run(["check", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert [line.removeprefix(str(tmp_path)) for line in out.splitlines()] == [
        "/clusterdns.yaml:1: error CD900 column 1: unknown setting TTL; did you mean ttl?",
        f"/other.yaml:1: warning {STRAY}",
    ]
    assert err == (
        "1 configuration file: 1 error; 3 files, 0 objects, 1 document of other kinds (ConfigMap 1), "
        "0 stand-in pods: 0 errors, 1 warning\n"
    )
