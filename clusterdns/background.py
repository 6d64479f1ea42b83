"""Tasks that go on for as long as their owner does: one that ends by a fault would end without a word."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any


def in_background(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    """A fault that ends it goes to the loop's handler of exceptions."""
    task = asyncio.create_task(work)
    task.add_done_callback(partial(tell_failure, _told))
    return task


def tell_failure(failed: Callable[[BaseException], object], task: "asyncio.Task[None]") -> None:
    """To be called when *task* is done; nothing is told of one that was cancelled."""
    if not task.cancelled() and (fault := task.exception()):
        failed(fault)


def _told(fault: BaseException) -> None:
    context = {"message": "a task of the server ended by a fault", "exception": fault}
    asyncio.get_running_loop().call_exception_handler(context)
