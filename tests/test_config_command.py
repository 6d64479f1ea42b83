"""``clusterdns config``: what is in use, from where, and the schema that editors check with."""

import json
from pathlib import Path
from typing import Any

import pytest

from clusterdns.cli.main import run
from clusterdns.config import SETTINGS, load_settings
from clusterdns.config_schema import json_schema

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
        'labels: "a=b, !c"\nmanifests: ["x y", "#z"]\nlisten: ["[::1]:53"]\nmax_yaml_octets: 1MiB\n'
        "stub_domains: {corp.example: [10.0.0.1, '10.0.0.2:5353'], 10.in-addr.arpa: tls://10.0.0.3#dns.example}\n"
    )
    assert run(["config", "show", "--config", str(path)]) == 0
    again.write_text(capsys.readouterr().out)
    assert load_settings({}, {}, str(again)) == load_settings({}, {}, str(path))


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
    assert properties["stand_ins"] == {"type": "boolean", "description": SETTINGS["stand_ins"].help, "default": True}
    assert properties["ttl"]["default"] == 5
    assert schema["additionalProperties"] is False
    assert properties["stub_domains"]["type"] == "object"


def test_choices_are_what_the_loader_takes() -> None:
    for name, setting in SETTINGS.items():
        for choice in setting.choices:
            assert getattr(load_settings({name: choice, "upstream": ["10.0.0.1"]}, {}), name) == choice
