"""What the pjsua2 wheel leaves to be done by address and by thread: its vectors, one hidden setting, priorities."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import sys
import threading
from typing import Any

log = logging.getLogger(__name__)
_PLACE = ctypes.c_size_t.from_address


def content_of(vector: Any) -> int:
    """Returns the address of a ``ByteVector``'s bytes: a hundred times quicker than copying them one by one."""
    return int(_PLACE(int(vector.this)).value)


def hurry() -> None:
    """Lets the calling thread go before others where that is permitted: a late audio frame is a gap in the call."""
    sys.setswitchinterval(0.001)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -10)


def keep_every_frame(media: Any) -> None:
    """Has the jitter buffer stay late after a stall instead of squeezing the sound until it has caught up.

    Squeezed sound is no longer what the far end played: recordings are not recognised in it, and times shift for
    seconds. The wheel offers no way to set that field, so it is set where it lies, between two that can be set.
    """
    before, after = 12345, -4321
    media.jbMax, media.sndAutoCloseTime = before, after
    words = (ctypes.c_int * 64).from_address(int(media.this))
    places = [i for i in range(62) if words[i] == before and words[i + 2] == after]
    if len(places) == 1:
        words[places[0] + 1] = 0  # PJMEDIA_JB_DISCARD_NONE
    else:
        log.warning("this pjsua2 build is laid out differently: after a stall its audio will be squeezed")
    media.jbMax, media.sndAutoCloseTime = -1, -1
