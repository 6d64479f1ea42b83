"""The settings as JSON Schema, for editors that complete and check YAML.

Made from what ``config_values`` reads them with.  It refuses nothing that the server takes.  What it lets pass can
still be refused where a pattern is too little: amounts with a unit out of their bounds, host bits of a network, the
grammar of selectors, and what settings mean together.
"""

from collections.abc import Callable, Mapping
from typing import Any

from clusterdns import config_values as values
from clusterdns.config import SETTINGS, Setting
from clusterdns.config_forward import any_domain, stub_domain, upstream
from clusterdns.config_values import FORMS, Choice, Count, Duration, Form, Words

Schema = Mapping[str, object]

_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_V4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_V6 = r"[0-9A-Fa-f]*:[0-9A-Fa-f:]*(?::\d+(?:\.\d+){3})?"  # much of it is none
_LABEL = r"[A-Za-z0-9_](?:[-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*\.?"
_HOST = rf"(?:{_V4}|{_V6})(?::\d{{1,5}})?|\[{_V6}\](?::\d{{1,5}})?"
_SERVER = rf"(?:tls://(?:{_HOST})(?:#{_DOMAIN})?|{_HOST})"


def json_schema() -> dict[str, object]:
    """Draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "clusterdns",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {**_of(setting, FORMS[name]), "description": setting.help, "default": _default(setting)}
            for name, setting in SETTINGS.items()
        },
    }


def _default(setting: Setting) -> object:
    default = setting.default
    if setting.mapping:
        return {}
    if isinstance(default, list) or FORMS[setting.name].parse is not values.truth:
        return int(default) if isinstance(default, str) and default.isdigit() else default
    return default == "true"


def _of(setting: Setting, form: Form) -> Schema:
    if setting.mapping:
        servers = _pattern(rf" *{_SERVER}(?: +{_SERVER})* *")
        several = {"type": "array", "items": _pattern(_SERVER), "minItems": 1}
        return {
            "type": "object",
            "propertyNames": {"pattern": _whole(rf" *{_DOMAIN} *")},
            "additionalProperties": {"anyOf": [several, servers]},
        }
    one = _one(form.parse)
    if not form.listed:
        return one
    several = {"type": "array", "items": one}
    several |= {"minItems": 1} if values.not_empty in form.then else {}
    several |= {"maxItems": 2} if values.one_per_family in form.then else {}
    return {"anyOf": [several, one]}


def _one(parse: Callable[[str], Any]) -> Schema:
    """A scalar as YAML has it: what looks like a number may be one."""
    if isinstance(parse, Choice):
        return {"enum": [*parse.known]}
    if isinstance(parse, Count):
        number: dict[str, object] = {"type": "integer", "minimum": parse.least, "maximum": parse.most}
        return {"anyOf": [number, _pattern(rf"[0-9]{{1,{values.MOST_DIGITS}}}")]}
    if isinstance(parse, Duration):
        number = {"type": "number", "minimum": parse.least, "maximum": parse.most}
        number |= {"multipleOf": 1} if parse.whole else {}
        return {"anyOf": [number, _pattern(values.DURATION.pattern)]}
    if isinstance(parse, Words):
        return {"type": ["string", "number"], "maxLength": parse.most, "pattern": r"^[ -~]*$"}
    return _ONE[parse]


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"


def _pattern(pattern: str, **more: object) -> dict[str, object]:
    return {"type": "string", "pattern": _whole(pattern), **more}


def _network(least: Mapping[int, int]) -> Schema:
    v4, v6 = ("|".join(map(str, range(least[version], most + 1))) for version, most in ((4, 32), (6, 128)))
    return _pattern(rf"{_V4}/(?:{v4}|{_V4})|{_V6}/(?:{v6})")


def _either_case(word: str) -> str:
    return "".join(f"[{letter.upper()}{letter}]" for letter in word)


_TRUTH = _pattern("|".join(map(_either_case, values.TRUTHS)))
_ARPA = "|".join(rf"{_either_case(word)}\.{_either_case('arpa')}" for word in ("in-addr", "ip6"))
_NETWORK = _network({4: 0, 6: 0})
_SIZE: Schema = {"type": "integer", "minimum": values.LEAST_SIZE, "maximum": values.MOST_SIZE}
_LONG_AGO: Schema = {"anyOf": [{"const": 0}, {"type": "number", "minimum": values.LEAST_STALENESS}]}
_TEXT: Schema = {"type": ["string", "number"]}

# What is read by a function instead of by bounds.
_ONE: dict[Callable[[str], Any], Schema] = {
    str: _TEXT,
    values.path: {**_TEXT, "minLength": 1},
    values.selector: _TEXT,
    values.token: {**_TEXT, "pattern": _whole("|[-A-Za-z0-9._~+/]+=*")},
    values.namespace: {**_TEXT, "pattern": _whole(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")},
    values.truth: {"anyOf": [{"type": "boolean"}, _TRUTH]},
    values.seconds: {"anyOf": [{"type": "number", "minimum": 0}, _pattern(values.DURATION.pattern)]},
    values.staleness: {"anyOf": [_LONG_AGO, _pattern(values.DURATION.pattern)]},
    values.octets: {"anyOf": [_SIZE, _pattern(values.SIZE.pattern)]},
    values.secret: _pattern("[0-9A-Fa-f]{32}"),
    values.socket_address: _pattern(rf"(?:{_V4}|\[{_V6}\]):\d{{1,5}}"),
    values.cluster_domain: _pattern(
        _DOMAIN, maxLength=values.MAX_DOMAIN + 1, **{"not": {"pattern": rf"(?:^|\.)(?:{_ARPA})\.?$"}}
    ),
    values.zone: {"anyOf": [_pattern(_DOMAIN, maxLength=values.MAX_DOMAIN + 1), _NETWORK]},
    values.fallthrough_zone: {"anyOf": [_pattern(_DOMAIN, maxLength=values.MAX_DOMAIN + 1), {"const": "."}, _NETWORK]},
    values.address_range: _network(values.LEAST_LENGTH),
    values.address: _pattern(rf"{_V4}|{_V6}"),
    any_domain: _pattern(_DOMAIN, maxLength=254),
    upstream: _pattern(rf"/.*|{_SERVER}"),
    stub_domain: _TEXT,  # as variables and flags have it; a file has a mapping
}
