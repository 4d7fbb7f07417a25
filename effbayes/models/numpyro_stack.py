"""NumPyro's handlers stand on one stack, which all threads share: one thread at a time is on it.

Without this, a model that is traced while another thread traces meets that thread's handlers, and
mostly fails with an error that has nothing to do with it.
"""

from __future__ import annotations

from threading import RLock

ALONE = RLock()
"""Held wherever a program of NumPyro is run; again by the thread that holds it."""
