"""Tasks that nobody waits for: what ended one is told, whatever it was."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from clusterdns.background import in_background


def told(work: Coroutine[Any, Any, None], *, cancel: bool = False) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context))
        task = in_background(work)
        await asyncio.sleep(0)
        if cancel:
            task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)

    asyncio.run(main())
    return found


async def broken() -> None:
    raise RuntimeError("what nobody thought of")


def test_a_fault_is_told() -> None:
    (context,) = told(broken())
    assert context["message"] == "a task of the server ended by a fault"
    assert str(context["exception"]) == "what nobody thought of"


def test_an_end_is_no_fault() -> None:
    assert told(asyncio.sleep(0)) == []
    assert told(asyncio.sleep(3600), cancel=True) == []
