"""The settings as JSON Schema, for editors that complete and check YAML."""

from typing import get_type_hints

from clusterdns.config import SETTINGS, Setting, Settings

_TEXT: dict[str, object] = {"type": "string"}
_LIST: dict[str, object] = {"anyOf": [{"type": "array", "items": _TEXT}, _TEXT]}
_AMOUNT: dict[str, object] = {"type": ["number", "string"]}  # 5, or 500ms, 16MiB


def json_schema() -> dict[str, object]:
    """Draft 2020-12.  What it lets pass can still be refused: addresses and names are checked when they are read."""
    kinds = get_type_hints(Settings)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "clusterdns",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _property(setting, kinds[name]) for name, setting in SETTINGS.items()},
    }


def _property(setting: Setting, kind: object) -> dict[str, object]:
    form, default = _TEXT, setting.default
    value: object = default
    if setting.mapping:
        form, value = {"type": "object", "additionalProperties": _LIST}, {}
    elif isinstance(default, list):
        form = _LIST
    elif setting.choices:
        form = {"enum": [*setting.choices]}
    elif kind is bool:
        form, value = {"type": "boolean"}, default == "true"
    elif kind in (int, float):
        form, value = _AMOUNT, int(default) if default.isdigit() else default
    return {**form, "description": setting.help, "default": value}
