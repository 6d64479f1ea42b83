"""What lies in the folders at this moment: paths and signatures.  Nothing is opened, nothing is remembered."""

import errno
import os
import stat
from collections.abc import Iterable, Sequence

from msgspec import Struct

from clusterdns.errors import OperatorError, Problem

SUFFIXES = (".yaml", ".yml", ".json")
_REMEDIES = {
    errno.ELOOP: "mend or remove the link",
    errno.EIO: "look after its disk",
    errno.ESTALE: "look after the server of its file system",
    errno.EMFILE: "raise this process's limit of open files",
}
DATA = "..data"  # kubelet's link to the current generation of a ConfigMap's files

Inode = tuple[int, int]  # (st_dev, st_ino)
Token = tuple[str | int, ...]  # the generation of a group; never looked into, only compared


# gc=False: a scan makes one of each per file, and that must not set the collector going in a large process.
class Signature(Struct, frozen=True, gc=False):
    """While it is the same, so is the content: writing moves mtime, and whoever sets that back moves ctime."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


class Found(Struct, frozen=True, gc=False):
    signature: Signature | None  # None: known, but to be read again
    group: str = ""  # the folder whose files change together, all by one renamed link; "": each by itself


class Listing(Struct):
    """One look at all roots.  Paths are as the user wrote the root, plus the relative part."""

    files: dict[str, Found] = {}
    groups: dict[str, Token] = {}  # taken before the members were looked at
    unread: set[str] = set()  # files and folders that are there, but cannot be looked at
    problems: list[Problem] = []
    watched: dict[str, set[str]] = {}  # real folders to watch -> names that matter there; empty: all
    plain: dict[str, str] = {}  # absolute path -> path of folders whose files change each by itself
    targets: set[str] = set()  # of links, absolute
    folders: dict[Inode, str] = {}  # seen: no folder is read twice, whatever roots lead to it


def check_roots(roots: Iterable[str]) -> None:
    """Raises OperatorError that names every root which cannot be read, or is neither file nor folder."""
    faults = [f"{root}: {fault}" for root in roots if (fault := _root_fault(root))]
    if faults:
        raise OperatorError("\n".join(faults))


def _root_fault(root: str) -> str:
    try:
        mode = os.stat(root).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return f"{_nature(mode)} is not read; name a file or a folder"
        os.close(os.open(root, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return reason(error)
    return ""


def list_files(roots: Sequence[str]) -> Listing:
    """Never fails: what cannot be looked at is in ``unread`` and ``problems``."""
    listing = Listing()
    unique = {os.path.abspath(root): root.rstrip(os.sep) or os.sep for root in reversed(roots)}
    # Folders first: a file that also lies in one of them is listed once, wherever it was named.
    for path, root in sorted(unique.items(), key=lambda item: (not os.path.isdir(item[0]), item)):
        _watch(listing, *os.path.split(path))
        _add_root(listing, root)
    return listing


def token(group: str) -> Token:
    """What names the generation of a group: where its folder and ``..data`` lead; ctime tells a link made anew."""
    try:
        link = os.lstat(os.path.join(group, DATA))
        return os.path.realpath(group), os.readlink(os.path.join(group, DATA)), link.st_ino, link.st_ctime_ns
    except OSError:
        return (os.path.realpath(group),)


def signature(status: os.stat_result) -> Signature:
    return Signature(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def inode_of(path: str) -> Inode | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def reason(error: OSError) -> str:
    """``no such file or directory``"""
    return (error.strerror or str(error)).lower()


def unreadable(path: str, error: OSError) -> Problem:
    remedy = _REMEDIES.get(error.errno or 0, "give the server access to it")
    return Problem(path, 0, "error", "CD304", "", f"cannot be read: {reason(error)}", remedy)


def _add_root(listing: Listing, root: str) -> None:
    try:
        mode = os.stat(root).st_mode
    except (FileNotFoundError, NotADirectoryError):
        text = "no such file or folder"
        listing.problems.append(Problem(root, 0, "error", "CD301", "", text, "its objects are gone until it is back"))
    except OSError as error:
        _add_unread(listing, root, error)
    else:
        if stat.S_ISDIR(mode):
            _add_folders(listing, root)
        else:
            _add_root_file(listing, root)


def _add_root_file(listing: Listing, root: str) -> None:
    """A file named by the user counts whatever its name is."""
    folder, name = os.path.dirname(root) or ".", os.path.basename(root)
    if is_wanted(name) and inode_of(folder) in listing.folders:
        return
    group = folder if os.path.islink(os.path.join(folder, DATA)) else ""
    if group:
        listing.groups.setdefault(group, token(group))
        _watch(listing, os.path.abspath(folder), DATA)
    _add_file(listing, root, group, os.path.islink(root))


def _watch(listing: Listing, folder: str, name: str) -> None:
    names = listing.watched.setdefault(folder, {name})
    if names:  # else: all names matter there
        names.add(name)


def _add_unread(listing: Listing, path: str, error: OSError) -> None:
    listing.unread.add(path)
    listing.problems.append(unreadable(path, error))


def _add_folders(listing: Listing, root: str) -> None:
    """*root* and the folders in it.  A loop, not a recursion: nesting is the user's to choose."""
    # A root that is a link changes as a whole, too: that is how git-sync publishes a commit.
    waiting = [(root, root if os.path.islink(root) else "")]
    while waiting:
        folder, group = waiting.pop()
        try:
            status = os.stat(folder)
            if listing.folders.setdefault((status.st_dev, status.st_ino), folder) != folder:
                continue
            if os.path.islink(os.path.join(folder, DATA)):
                group = folder
            if group:
                listing.groups.setdefault(group, token(group))
            listing.watched[os.path.abspath(folder)] = set()
            if not group:
                listing.plain[os.path.abspath(folder)] = folder
            with os.scandir(folder) as entries:
                waiting += [(inner, group) for entry in entries for inner in _add_entry(listing, folder, entry, group)]
        except FileNotFoundError:
            continue  # It went while we looked; that is a change, and the next scan sees it.
        except OSError as error:
            _add_unread(listing, folder, error)


def _add_entry(listing: Listing, folder: str, entry: os.DirEntry[str], group: str) -> Iterable[str]:
    """The path of *entry* if it is a folder to look into; a file is put into *listing*."""
    path = os.path.join(folder, entry.name)
    link = entry.is_symlink()
    # Folders behind links are not followed (they may lead anywhere), but for those of a volume's own layout.
    inner = _is_generation(_target(path)) and os.path.isdir(path) if link else entry.is_dir()
    if entry.name.startswith(".") or not (inner or is_wanted(entry.name)):
        return ()
    if not entry.name.isprintable():
        shown, text = path.encode("unicode_escape").decode(), "its name has characters that cannot be shown"
        listing.problems.append(Problem(shown, 0, "error", "CD305", "", text, "rename it"))
    elif inner:
        return (path,)
    elif not (link and os.path.isdir(path)):
        _add_file(listing, path, group, link)
    return ()


def is_wanted(name: str) -> bool:
    return name.endswith(SUFFIXES) and not name.startswith(".")


def _add_file(listing: Listing, path: str, group: str, link: bool) -> None:
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        if link:  # else: it went while we looked
            _add_broken_link(listing, path)
    except OSError as error:
        _add_unread(listing, path, error)
    else:
        if stat.S_ISREG(status.st_mode):
            listing.files[path] = Found(signature(status), group)
            if link:
                _watch_target(listing, path)
        else:
            text = f"{_nature(status.st_mode)} is not read"
            listing.problems.append(
                Problem(path, 0, "error", "CD302", "", text, "put a file in its place or rename it")
            )


def _add_broken_link(listing: Listing, path: str) -> None:
    target = _target(path)
    if not _is_generation(target):  # kubelet takes such links away only after it has swapped ..data
        text = f"its link leads to {target}, which is not there"
        listing.problems.append(Problem(path, 0, "error", "CD303", "", text, "mend or remove the link"))


def _watch_target(listing: Listing, path: str) -> None:
    """Behind a link, what is written shows in the folder of the target only."""
    if not _is_generation(_target(path)):
        target = os.path.realpath(path)
        listing.targets.add(target)
        _watch(listing, *os.path.split(target))


def _target(link: str) -> str:
    """Where it leads, "" if it is gone."""
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _is_generation(target: str) -> bool:
    return target.startswith(DATA + "/")


def _nature(mode: int) -> str:
    natures = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}
    return natures.get(stat.S_IFMT(mode), "a device")
