"""Where a person sees that a last good version is in use: the log, ``/ready?verbose``, ``check``, the API."""

import json
import urllib.request
from pathlib import Path

import pytest
from folders import service, write
from support import PATIENCE, serving

from clusterdns.cli.main import run


def pages(output: list[str]) -> str:
    """Where ``/health`` and all else is, without the slash."""
    line = next(line for line in output if line.startswith("http "))
    return line.split()[1].removesuffix("/health")


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return str(answer.read().decode())


def test_it_is_seen_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "web.yaml", service("web"), service("api"))
    with serving(tmp_path, http="127.0.0.1:0") as server:
        page = pages(server.output)
        assert get(f"{page}/ready?verbose") == "OK"
        write(path, service("web").replace("ExternalName,", "Externalname,"), service("api"))
        kept = (
            f"{path}: warning CD308 Service shop/web: the last good version stays in use; mend the errors of this file"
        )
        wrong = f'{path}:4: error CD210 Service shop/web: spec.type: "Externalname" is none of'
        while kept not in (told := get(f"{page}/ready?verbose")):
            assert told == "OK"
        ready, *lines = told.splitlines()
        assert ready == "OK"
        assert lines[0] == kept
        assert any(line.startswith(wrong) for line in lines)
        assert get(f"{page}/ready") == "OK"
        run(["explain", "web.shop", "--server", page])
        why = capsys.readouterr().out.splitlines()[2]
        assert f"{path}:4: spec." in why
        assert why.endswith("; the last good version stays in use")
        problems = json.loads(get(f"{page}/api/v1/problems"))["problems"]
        assert {("CD308", "Service shop/web"), ("CD210", "Service shop/web")} <= {
            (one["code"], one["subject"]) for one in problems
        }
    logged = "".join(server.output)
    assert f"WARNING clusterdns.manifests: {kept}" in logged
    assert f"ERROR clusterdns.manifests: {wrong}" in logged
    assert run(["check", str(tmp_path)]) == 1
    assert wrong in capsys.readouterr().out
