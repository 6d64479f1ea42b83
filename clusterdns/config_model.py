"""All that is wrong with settings at once.  Importing this imports pydantic: ``config`` does so only to tell."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, PlainValidator, create_model

from clusterdns.config_values import FORMS, Form, one_text


def _one(parse: Callable[[str], Any]) -> PlainValidator:
    return PlainValidator(lambda value: parse(one_text(value)))


def _listed(value: object) -> object:
    """One value may stand without its list."""
    return [value] if isinstance(value, str) else value


def _field(form: Form) -> Any:
    one = Annotated[Any, _one(form.parse)]
    if not form.listed:
        return one
    return Annotated[(tuple[one, ...], BeforeValidator(_listed), *map(AfterValidator, form.then))]


_fields: dict[str, Any] = {name: (_field(form), ...) for name, form in FORMS.items()}

# Field by field what ``config.Settings`` holds; every field is given, by its default if by nobody else.
Model: type[BaseModel] = create_model("Model", **_fields)
