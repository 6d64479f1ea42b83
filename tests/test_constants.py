"""Numbers of the protocol: each has one home."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import clusterdns

PACKAGE = Path(clusterdns.__file__).parent
PARTS = ("zone", "engine", "forward", "transports", "views")


def constants(path: Path) -> Iterator[tuple[str, int]]:
    """Of a module: NAME = 1, and A, B = 1, 2."""
    for statement in ast.parse(path.read_text()).body:
        if not isinstance(statement, ast.Assign):
            continue
        (target,) = statement.targets
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        values = statement.value.elts if isinstance(statement.value, ast.Tuple) else [statement.value]
        for name, value in zip(names, values, strict=False):
            if isinstance(name, ast.Name) and isinstance(value, ast.Constant) and type(value.value) is int:
                yield name.id, value.value


def test_no_number_has_its_name_in_two_modules() -> None:
    homes: dict[tuple[str, int], list[str]] = defaultdict(list)
    for path in (path for part in PARTS for path in sorted((PACKAGE / part).glob("*.py"))):
        for name, value in constants(path):
            if not name.startswith("_"):
                homes[name, value].append(str(path.relative_to(PACKAGE)))
    assert len(homes) > 50
    assert {name: paths for (name, _), paths in homes.items() if len(paths) > 1} == {}
