"""``clusterdns config``: what is in use, from where, and the schema that editors check with."""

import json
from pathlib import Path
from typing import Any

import pytest

from clusterdns.cli.main import run
from clusterdns.config import SETTINGS, load_settings
from clusterdns.config_schema import json_schema
from clusterdns.errors import OperatorError

REFERENCE = Path(__file__).parent.parent / "configs" / "clusterdns.yaml"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(f"CLUSTERDNS_{name.upper()}", raising=False)


def test_show_names_every_origin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("ttl: 30\npods: insecure\n")
    monkeypatch.setenv("CLUSTERDNS_PODS", "verified")
    assert run(["config", "show", "--config", str(path)]) == 0
    shown = {line.split(":")[0]: line.split("  # ") for line in capsys.readouterr().out.splitlines()}
    assert [shown["ttl"][0].strip(), shown["ttl"][1]] == ["ttl: 30", f"{path}:1:6"]
    assert [shown["pods"][0].strip(), shown["pods"][1]] == ["pods: verified", "CLUSTERDNS_PODS"]
    assert [shown["domain"][0].strip(), shown["domain"][1]] == ["domain: cluster.local", "default"]
    assert [*shown] == [*SETTINGS]


def test_what_show_prints_loads_to_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, again = tmp_path / "c.yaml", tmp_path / "again.yaml"
    path.write_text(
        'labels: "a=b, !c"\nmanifests: ["x y", "#z"]\nlisten: ["[::1]:1053"]\nmax_yaml_octets: 1MiB\n'
        "ttl: 5.0\nquery_log: all\nwildcards: YES\nserver_id: 'null'\nserver_version: 1.0.\nlameduck: 0.25\n"
        "zones: [Cluster.Local., 10.0.0.0/12]\nfallthrough: .\ncluster_dns: [10.0.0.1, FD00::1]\ntcp_idle: 1m\n"
        "namespace_labels: a in (x, y), b notin (z, w), c!=d, e\nupstream: [/etc/resolv.conf, '::1']\n"
        "stub_domains: {corp.example: [10.0.0.1, '10.0.0.2:5353'], 10.in-addr.arpa: tls://10.0.0.3#dns.example}\n"
    )
    assert run(["config", "show", "--config", str(path)]) == 0
    again.write_text(capsys.readouterr().out)
    assert load_settings({}, {}, str(again)) == load_settings({}, {}, str(path))


def shown(path: Path, capsys: pytest.CaptureFixture[str], text: str) -> dict[str, str]:
    path.write_text(text)
    assert run(["config", "show", "--config", str(path)]) == 0
    lines = [line.partition("  # ")[0].rstrip().partition(": ") for line in capsys.readouterr().out.splitlines()]
    return {name: value for name, _, value in lines}


def test_show_tells_what_is_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "query_log: all\nttl: 5.0\nwildcards: yes\ntcp_idle: 1m\nlameduck: 500ms\ncache_octets: 1024KiB\n"
    found = shown(tmp_path / "c.yaml", capsys, text)
    expected = {"query_log": "[all]", "ttl": "5", "wildcards": "true", "tcp_idle": "60", "lameduck": "0.5"}
    assert {name: found[name] for name in expected} == expected
    assert found["cache_octets"] == "1MiB"


def test_show_tells_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "0123456789abcdef0123456789abcdef"
    found = shown(tmp_path / "c.yaml", capsys, f"http_token: {secret}\ncookie_secrets: [{secret}, {secret[::-1]}]\n")
    assert (found["http_token"], found["cookie_secrets"]) == ('"(hidden)"', '["(hidden)"]')
    for name in ("http_token", "cookie_secrets"):  # loaded again it is an error and no open door
        (tmp_path / "again.yaml").write_text(f"{name}: {found[name]}\n")
        with pytest.raises(OperatorError):
            load_settings({}, {}, str(tmp_path / "again.yaml"))


def test_show_of_wrong_settings_is_their_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("tll: 30\nttl: -1\n")
    assert run(["config", "show", "--config", str(path)]) == 2
    assert [line.split(": ")[0] for line in capsys.readouterr().err.splitlines()] == [f"{path}:1:1", f"{path}:2:6"]


def test_schema_knows_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "schema"]) == 0
    schema: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert schema == json_schema()
    properties = schema["properties"]
    assert [*properties] == [*SETTINGS]
    assert properties["pods"]["enum"] == ["disabled", "insecure", "verified"]
    assert properties["stand_ins"]["anyOf"][0] == {"type": "boolean"}
    assert properties["stand_ins"]["description"] == SETTINGS["stand_ins"].help
    assert properties["stand_ins"]["default"] is True
    assert properties["ttl"]["default"] == 5
    assert schema["additionalProperties"] is False
    assert properties["stub_domains"]["type"] == "object"


def test_choices_are_what_the_loader_takes() -> None:
    for name, setting in SETTINGS.items():
        for choice in setting.choices:
            assert getattr(load_settings({name: choice, "upstream": ["10.0.0.1"]}, {}), name) == choice
