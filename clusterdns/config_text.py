"""Settings as text: what is in use, in the words of a file of settings."""

import json
from collections.abc import Iterable

from clusterdns.cluster.addresses import address_text, host_port
from clusterdns.cluster.labels import Requirement
from clusterdns.config import SECRET, SETTINGS, Settings
from clusterdns.config_values import UNITS_OF_SIZE

HIDDEN = "(hidden)"  # refused by whatever reads it as a secret, so nobody takes it for one
_DOMAINS = ("domain", "zones", "fallthrough", "kept_home")
_IN_OCTETS = ("cache_octets", "max_yaml_octets", "max_json_octets")


def yaml_of(settings: Settings, name: str) -> str:
    """Its value in flow style, which loads to the same; of a secret only that it is set."""
    value = getattr(settings, name)
    if name in SECRET and value:
        return f'["{HIDDEN}"]' if isinstance(value, tuple) else json.dumps(HIDDEN)
    if SETTINGS[name].mapping:
        return "{" + ", ".join(f"{_scalar(_name(key))}: {_list(values)}" for key, values in value) + "}"
    if name in ("labels", "namespace_labels"):
        return _scalar(",".join(map(_requirement, value)))
    if name in _IN_OCTETS:
        sizes = reversed(UNITS_OF_SIZE.items())  # the largest first
        return next(f"{value // size}{unit or ''}" for unit, size in sizes if not value % size)
    if name in _DOMAINS:
        return _scalar(_name(value)) if isinstance(value, str) else _list(map(_name, value))
    return _list(map(_text, value)) if isinstance(value, tuple) else _scalar(_text(value))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.9f}".rstrip("0").rstrip(".")
    if isinstance(value, bytes):
        return address_text(value)
    if isinstance(value, tuple):
        return host_port(*value)
    return str(value)


def _name(text: str) -> str:
    """A domain without the final dot, as people write it."""
    return text.removesuffix(".") or text


def _requirement(one: Requirement) -> str:
    values = sorted(one.values)
    if one.operator == "exists":
        return one.key
    if one.operator == "!":
        return f"!{one.key}"
    if len(values) == 1:
        return f"{one.key}{'=' if one.operator == 'in' else '!='}{values[0]}"
    return f"{one.key} {one.operator} ({','.join(values)})"


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_scalar, values))}]"


def _scalar(text: str) -> str:
    """Quoted where YAML would take it for something else."""
    plain = text.replace("-", "").replace(".", "").replace("_", "").isalnum()
    return text if plain and text.lower() != "null" else json.dumps(text)
