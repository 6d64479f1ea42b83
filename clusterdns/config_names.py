"""Names of settings, right and nearly right: in files, and among the variables of the environment."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import PurePath

from clusterdns.config import PREFIX, SETTINGS
from clusterdns.errors import Problem

_NEAR, _SHORT_NEAR = 0.8, 0.65  # of SequenceMatcher's ratio; of names of four letters or less, as "tll" for ttl
_LONGEST = 64  # characters; no setting has half as many
_OTHERS = ("CONFIG", "GOLDEN", "REAL", "TESTBED", "TESTBED_CACHE")  # no settings, but ours
# What kubelet gives to containers for Services called clusterdns, or clusterdns-something.
_KUBELET = re.compile(r"(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?)")


def nearest(key: str) -> str:
    """The setting that *key* probably means; "" if none."""
    bare = key.lower().replace("-", "_")
    found = (
        get_close_matches(bare, SETTINGS, n=1, cutoff=_NEAR if len(bare) > 4 else _SHORT_NEAR)
        if len(bare) <= _LONGEST
        else []
    )
    return found[0] if found else ""


def unknown(key: str) -> str:
    """``unknown setting listn; did you mean listen?``"""
    near = get_close_matches(key.lower()[:_LONGEST], SETTINGS, n=1)
    return f"unknown setting {key}; " + (
        f"did you mean {near[0]}?" if near else "`clusterdns config show` lists those there are"
    )


def odd_variables(environ: Mapping[str, str]) -> Iterator[Problem]:
    """Variables that were probably meant for us, and do nothing.

    Others of our prefix are nobody's fault: Kubernetes sets some for a Service of our name.
    """
    for variable in sorted(environ):
        name = variable.removeprefix(PREFIX)
        if name == variable or (name.lower() in SETTINGS and name.isupper()) or name in _OTHERS:
            continue
        if not _KUBELET.fullmatch(name) and (near := nearest(name)):
            text, remedy = "no setting of that name, so it has no effect", f"write {PREFIX}{near.upper()}"
            yield Problem(variable, 0, "warning", "CD900", "", text, remedy)


def is_config(text: str, path: str = "") -> bool:
    """Whether *text* is a file of settings and no manifest: most of its outermost keys are settings, or meant to be."""
    keys = re.findall(r"^[\"']?([\w-]+)[\"']?[ \t]*:(?:\s|$)", text, re.MULTILINE)
    if {"kind", "apiVersion"} & {*keys}:
        return False
    ours = sum(bool(nearest(key)) for key in keys)
    return 2 * ours > len(keys) or PurePath(path).stem == "clusterdns"
