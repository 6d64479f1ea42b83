"""A look at what was hinted at, instead of at everything: an edit among 25,000 files costs no scan of them all.

Only plain files in plain folders are judged here.  Whatever is more than that (links, folders, generations that are
swapped as a whole, what was a problem before) is left to a whole look, and so is what no hint told of.
"""

import os
import stat
from collections.abc import Iterable

from msgspec.structs import replace

from clusterdns.sources.folder import DATA, Found, Listing, is_wanted, signature

MOST = 2_000  # hints; with more, a whole look is no dearer


def look_again(before: Listing, paths: Iterable[str]) -> Listing | None:
    """*before* with the absolute *paths* looked at anew; None: only a whole look can tell."""
    files = dict(before.files)
    doubtful = before.unread | {problem.path for problem in before.problems}
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in before.plain or name == DATA or path in before.watched or path in before.targets:
            return None
        if name.startswith("."):
            continue
        shown = os.path.join(before.plain[folder], name)
        if shown in doubtful or not _look(files, shown, wanted=is_wanted(name)):
            return None
    return replace(before, files=files)


def _look(files: dict[str, Found], path: str, *, wanted: bool) -> bool:
    """Whether what is there now could be told."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        files.pop(path, None)
        return True
    except OSError:
        return False
    if not stat.S_ISREG(status.st_mode) or not path.isprintable():
        return False
    if wanted:
        files[path] = Found(signature(status))
    return True
