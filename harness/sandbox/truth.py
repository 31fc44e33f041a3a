"""The truth log: what the sandbox really did, and when. Tests and calibration read it; the probes never do.

One JSON object a line::

    {"t_mono": 812.345678, "t_wall": 1790000000.12, "session": "chat-003", "event": "joined", ...}

``t_mono`` is ``CLOCK_MONOTONIC`` in seconds (the same for every process of a machine), ``t_wall`` seconds since 1970.
Both are read when :meth:`Truth.write` is called, so call it right where the packet or frame is sent.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any

FLUSH_S = 0.2


class Truth:
    """Writes the log. Cheap and thread-safe: a call stamps and appends; a thread of its own does the writing.

    Several processes may share one file: each batch is one append of whole lines.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._rows: deque[tuple[float, float, str, str, dict[str, Any]]] = deque()  # append and popleft are atomic
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._closing = threading.Event()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="truth", daemon=True)
        self._thread.start()

    def write(self, session: str, event: str, /, *, at: float | None = None, **data: Any) -> None:
        """Stamps one event.

        Args:
            session: which call or chat, for example ``chat-003``.
            event: what happened.
            at: monotonic seconds when it happened, if that was not now.
            data: anything JSON can hold.
        """
        mono, wall = time.monotonic(), time.time()
        if at is not None:
            mono, wall = at, wall + (at - mono)
        self._rows.append((mono, wall, session, event, data))

    def flush(self) -> None:
        """Writes out whatever is waiting."""
        with self._writing:
            lines = []
            while self._rows:
                mono, wall, session, event, data = self._rows.popleft()
                row = {"t_mono": mono, "t_wall": wall, "session": session, "event": event} | data
                lines.append(json.dumps(row, ensure_ascii=False))
            if lines:
                rest = memoryview(("\n".join(lines) + "\n").encode())
                while rest:
                    rest = rest[os.write(self._file, rest) :]

    def close(self) -> None:
        """Flushes and closes. Safe to call twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join()
        self.flush()
        os.close(self._file)

    def __enter__(self) -> Truth:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closing.wait(FLUSH_S):
            self.flush()

    @staticmethod
    def read(path: str | Path) -> list[dict[str, Any]]:
        """Returns the rows in order of time. A half-written last line (a killed sandbox) is left out."""
        rows: list[dict[str, Any]] = []
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
        return sorted(rows, key=lambda row: float(row["t_mono"]))
