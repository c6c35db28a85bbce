"""Makes threads die as nothing in them expects: an exception that no `except Exception` catches, between two lines."""

from __future__ import annotations

import ctypes
import threading
import time

_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
_raise_in.argtypes = (ctypes.c_ulong, ctypes.py_object)


def end_thread(thread: threading.Thread, timeout: float = 30.0) -> bool:
    """Whether it has died within so many seconds. It does as soon as it runs again, whatever it waits for."""
    end = time.monotonic() + timeout
    while thread.is_alive() and time.monotonic() < end:
        # Again and again: something may catch it after all, as libraries do around what they call.
        _raise_in(thread.ident, SystemExit)
        thread.join(0.1)
    return not thread.is_alive()
