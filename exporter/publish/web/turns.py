"""Make answers in threads beside an event loop, a few at a time; knows nothing of what they are."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")

AT_ONCE = 2


@dataclass(slots=True)
class Turns(Generic[T]):
    """Lets `AT_ONCE` answers be made at a time. Equal requests that wait for their turn share one answer.

    A request never gets an answer that was begun before it came: what it reads is not older than the request.
    """

    patience: float
    """Seconds to wait for a turn."""
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    waiting: dict[Hashable, asyncio.Task[T]] = field(default_factory=dict)

    async def answer(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returns or raises. Requests are equal if their `key` is.

        Raises:
            TimeoutError: its turn did not come.
        """
        if key not in self.waiting:
            self.waiting[key] = observed(self._take_turn(key, make))
        # Shielded, because others may wait for it when this one gives up.
        return await asyncio.shield(self.waiting[key])

    async def _take_turn(self, key: Hashable, make: Callable[[], T]) -> T:
        try:
            await asyncio.wait_for(self.slots.acquire(), self.patience)
        finally:
            del self.waiting[key]
        try:
            return await in_thread(make)
        finally:
            self.slots.release()


def observed(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task whose failure may be nobody's business any more: then asyncio is not to complain of it."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


async def in_thread(make: Callable[[], T], *, daemon: bool = True) -> T:
    """What `make` returns or raises, made in a thread of its own.

    Args:
        daemon: the process may end before it does. There is no executor for the same reason: one that never ends must
            not keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            outcome = make()
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is awaited
            post(future.set_exception, error)
        except BaseException as error:
            # Nobody may wait for ever, and keep a turn. As it is, it would end the event loop.
            died = RuntimeError("the thread of an answer has died")
            died.__cause__ = error
            post(future.set_exception, died)
            raise
        else:
            post(future.set_result, outcome)

    def post(settle: Callable[..., None], outcome: object) -> None:
        def settle_once() -> None:
            if not future.done():
                settle(outcome)

        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle_once)

    threading.Thread(target=run, name="web-answer", daemon=daemon).start()
    return await future
