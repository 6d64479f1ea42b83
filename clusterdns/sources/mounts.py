"""Which folders lie on file systems that others write to without this machine hearing of it.  Blocks."""

import os
import re
from collections.abc import Iterable, Iterator

MOUNTS = "/proc/self/mountinfo"  # proc_pid_mountinfo(5); statfs's numbers are not to be had from Python

# Network file systems, and those that hand a folder of the host into a machine or container.
_DISTANT = frozenset(
    ("9p", "afs", "beegfs", "ceph", "cifs", "coda", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2")
) | frozenset(("orangefs", "prl_fs", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "wekafs", "fuse"))
_OCTAL = re.compile(r"\\([0-7]{3})")


def distant_folders(folders: Iterable[str]) -> dict[str, str]:
    """Folder -> type of its file system, of those *folders* where a watch hears of our own changes only."""
    try:
        with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            mounts = dict(parse(file))
    except OSError:
        return {}  # not Linux, or no /proc: the timer finds all changes in any case
    kinds = {folder: _kind_of(os.path.realpath(folder), mounts) for folder in folders}
    return {folder: kind for folder, kind in kinds.items() if is_distant(kind)}


def parse(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(mount point, type) of each mount; of two at one point the later one is seen."""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) > 4 and kind:
            yield _OCTAL.sub(lambda found: chr(int(found[1], 8)), fields[4]), kind[0]


def is_distant(kind: str) -> bool:
    """``fuse.sshfs`` and all like it, too; not ``fuseblk``, which is a disk."""
    return kind in _DISTANT or kind.startswith("fuse.")


def _kind_of(folder: str, mounts: dict[str, str]) -> str:
    while folder not in mounts:
        parent = os.path.dirname(folder)
        if parent == folder:
            return ""
        folder = parent
    return mounts[folder]
