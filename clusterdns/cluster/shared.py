"""What follows from values that thousands of objects have in common is found out once, and then shared."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
Values = tuple[Any, ...] | None

_FEW = 8  # values together: what is kept must not depend on how large somebody's objects are
_KEPT = 1 << 11


def shared(function: Callable[Concatenate[Values, P], R]) -> Callable[Concatenate[Values, P], R]:
    """Remembers what *function* returned, unless it is empty or False: nobody's nonsense is kept.

    For pure ones of which equal arguments always give equal results.
    """
    kept: dict[object, R] = {}

    @wraps(function)
    def found(values: Values, /, *args: P.args, **kwargs: P.kwargs) -> R:
        which = (values, *args, *kwargs.values())
        result = kept.get(which)
        if result is None:
            result = function(values, *args, **kwargs)
            if result and values is not None and len(values) <= _FEW:
                if len(kept) >= _KEPT:
                    kept.clear()
                kept[which] = result
        return result

    return found
