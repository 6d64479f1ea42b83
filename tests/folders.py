"""Folders of manifests for tests: files that are as old as they are said to be, a clock that is set by hand."""

import os
from pathlib import Path

from clusterdns.cluster.decode import Decoded
from clusterdns.sources.scan import Clock, Scan, Scanner

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec: {{type: ExternalName, externalName: {target}}}
"""


def service(name: str, target: str = "example.org") -> str:
    return SERVICE.format(name=name, target=target)


def write(path: Path, *documents: str) -> Path:
    """Atomically, so that no test ever shows a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(".new")
    new.write_text("---\n".join(documents))
    return new.rename(path)


START = 1_700_000_000.0


class Desk:
    """A folder, a scanner and a clock.  Files are as old as they are said to be."""

    def __init__(self, folder: Path, *roots: Path) -> None:
        self.folder, self.now = folder, START
        self.scanner = Scanner([str(root) for root in roots or (folder,)], Clock(lambda: self.now, lambda: self.now))

    def write(self, name: str, *documents: str, age: float = 60) -> Path:
        path = write(self.folder / name, *documents)
        os.utime(path, (self.now - age, self.now - age))
        return path

    def swap(self, generation: str, files: dict[str, str], age: float = 60) -> None:
        """As kubelet does it: a new folder, ``..data`` renamed to it, links to files through ``..data``."""
        for name, text in files.items():
            self.write(f"..{generation}/{name}", text, age=age)
        (self.folder / "..data_tmp").symlink_to(f"..{generation}")
        (self.folder / "..data_tmp").rename(self.folder / "..data")
        for path in self.folder.iterdir():
            if path.is_symlink() and not path.exists():
                path.unlink()
        for name in {name.split("/")[0] for name in files}:
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")

    def scan(self, hold: float = 0.2) -> dict[str, str] | None:
        """Path below the folder -> target of its first Service, or "gone"; None: not settled."""
        return self.shown(self.scanner.scan(hold))

    def shown(self, scan: Scan) -> dict[str, str] | None:
        if scan.versions is None:
            return None
        return {os.path.relpath(path, self.folder): _target(version) for path, version in scan.versions.items()}

    def problems(self) -> list[tuple[str, str]]:
        return [(one.code, os.path.relpath(one.path, self.folder)) for one in self.scanner.scan(0).problems]


def _target(version: Decoded | None) -> str:
    if version is None:
        return "gone"
    return getattr(version.objects[0], "external_name", "") if version.objects else "nothing"
