"""Audio between the media thread and everybody else: the mouth that speaks, the tracks that are kept.

All audio is 8 kHz, mono, 16 bit, in frames of 20 ms. Nothing here knows SIP.
"""

from __future__ import annotations

import asyncio
import wave
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE = 8000
FRAME_S = 0.02
FRAME_SAMPLES = int(RATE * FRAME_S)
FRAME_BYTES = FRAME_SAMPLES * 2
SILENCE = bytes(FRAME_BYTES)
CATCHES_UP_S = 0.6  # the bridge gives up what it is behind by more than half a second
SLACK_S = 0.04
STALL_S = 0.2  # a pause between two frames that a busy machine made, not the network
RECONNECTED_S = 2.0  # a longer one is a stream that ended and began again

Pcm = npt.NDArray[np.int16]


class Playing:
    """One piece of audio on its way out. ``await playing.done`` gives (start, end) in monotonic seconds."""

    def __init__(self, audio: bytes, *, loop: bool, on_start: Callable[[float], None] | None) -> None:
        self.audio, self.loop, self.on_start = audio, loop, on_start
        self.done: asyncio.Future[tuple[float, float]] = asyncio.get_running_loop().create_future()
        self.at = 0
        self.started: float | None = None
        self.stopped = False

    def stop(self) -> None:
        """Ends it with the next frame."""
        self.stopped = True


class Mouth:
    """Plays pieces one after another; ``frame`` is called by the media thread every 20 ms."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: deque[Playing] = deque()
        self._floor: bytes = b""
        self._floor_at = 0

    def play(self, pcm: Pcm, *, loop: bool = False, on_start: Callable[[float], None] | None = None) -> Playing:
        """Queues ``pcm``; ``on_start`` is called on the media thread with the instant of the first frame."""
        audio = pcm.astype("<i2").tobytes()
        audio += bytes(-len(audio) % FRAME_BYTES)
        piece = Playing(audio or SILENCE, loop=loop, on_start=on_start)
        self._queue.append(piece)
        return piece

    def stop(self) -> None:
        """Ends what plays and all that waits."""
        for piece in list(self._queue):
            piece.stop()

    def floor(self, pcm: Pcm | None) -> None:
        """Sets what is sent when nothing plays: the noise of an open line, or None for digital silence."""
        audio = b"" if pcm is None else pcm.astype("<i2").tobytes()
        self._floor = audio[: len(audio) // FRAME_BYTES * FRAME_BYTES]

    def frame(self, now: float) -> bytes | None:
        """Returns the next frame to send, or None for silence. Media thread only."""
        while self._queue:
            piece = self._queue[0]
            if piece.stopped or (piece.at >= len(piece.audio) and not piece.loop):
                self._queue.popleft()
                self._finish(piece, now)
                continue
            if piece.started is None:
                piece.started = now
                if piece.on_start is not None:
                    piece.on_start(now)
            if piece.at >= len(piece.audio):
                piece.at = 0
            piece.at += FRAME_BYTES
            return piece.audio[piece.at - FRAME_BYTES : piece.at]
        if self._floor:
            at = self._floor_at % len(self._floor)
            self._floor_at = at + FRAME_BYTES
            return self._floor[at : at + FRAME_BYTES]
        return None

    def _finish(self, piece: Playing, now: float) -> None:
        span = (now if piece.started is None else piece.started, now)

        def settle() -> None:
            if not piece.done.done():
                piece.done.set_result(span)

        self._loop.call_soon_threadsafe(settle)


class FrameLog:
    """Frames with their instants, handed from the media thread to the event loop in blocks."""

    def __init__(self, wake: Callable[[], None], every: int = 5) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake, self._every, self._count = wake, every, 0
        self.heard: deque[tuple[float, bytes]] = deque()
        self.spoken: deque[tuple[float, bytes]] = deque()
        self.stalls: list[tuple[float, float]] = []  # (monotonic, seconds): the audio clock stood still
        self.deaf = False  # what is heard comes from the packets: heard frames are not kept
        self._last: float | None = None

    def on_heard(self, now: float, frame: bytes) -> None:
        """Keeps a frame of the far end (empty: the far end sent none). Media thread only."""
        if self.deaf:
            return
        self._tick(now)
        self.heard.append((now, frame or SILENCE))
        self._count += 1
        if self._count % self._every == 0:
            self._loop.call_soon_threadsafe(self._wake)

    def on_spoken(self, now: float, frame: bytes | None) -> None:
        """Keeps a frame of our own. Media thread only."""
        if self.deaf:
            self._tick(now)
        self.spoken.append((now, frame or SILENCE))

    def _tick(self, now: float) -> None:
        if self._last is not None and STALL_S < now - self._last < RECONNECTED_S:
            self.stalls.append((self._last, now - self._last))
        self._last = now


class Track:
    """Places frames on a time line: contiguous as they come, with silence where none came for a while.

    The bridge ticks on its own clock. When the machine is busy it falls behind and then catches up in a burst, so one
    late frame proves nothing; time is missing only if even the least late frame of a whole second was late.
    """

    def __init__(self, origin: float) -> None:
        self.origin = origin
        self.samples = 0  # placed so far, silence included
        self._late: deque[float] = deque(maxlen=int(1 / FRAME_S))

    def place(self, now: float, frame: bytes) -> tuple[float, bytes]:
        """Returns the time of the first sample since ``origin`` and the bytes to append, silence first if needed.

        ``now`` is when the frame was delivered, that is when its first sample is due.
        """
        late = now - self.origin - self.samples / RATE
        self._late.append(late)
        missing = late if self.samples == 0 or late > CATCHES_UP_S else 0.0
        if len(self._late) == self._late.maxlen and min(self._late) > SLACK_S:
            missing = max(missing, min(self._late))
        if missing > 0:
            frame = bytes(int(missing * RATE) * 2) + frame
            self._late.clear()
        start = self.samples / RATE
        self.samples += len(frame) // 2
        return start, frame


class Recording:
    """A WAV of two channels, far end left and shopper right, whose file time is session time.

    The header is kept right as it grows, so a recording that is cut off can still be played.
    """

    def __init__(self, path: Path, origin: float) -> None:
        self.path = path
        self._wave = wave.open(str(path), "wb")  # noqa: SIM115 - lives as long as the call
        self._wave.setnchannels(2)
        self._wave.setsampwidth(2)
        self._wave.setframerate(RATE)
        self._wave.writeframes(b"")
        self._tracks = (Track(origin), Track(origin))
        self._pending = (bytearray(), bytearray())

    def far(self, now: float, frame: bytes) -> tuple[float, bytes]:
        """Adds a far-end frame; returns where it was placed, as :meth:`Track.place` does."""
        return self._add(0, now, frame)

    def placed(self, start: float, pcm: Pcm) -> None:
        """Adds far-end audio that has its place already: ``start`` is seconds since the origin, in order."""
        track = self._tracks[0]
        missing = round(start * RATE) - track.samples
        if missing > 0:
            self._pending[0].extend(bytes(2 * missing))
        sound = pcm[max(0, -missing) :]
        track.samples += max(0, missing) + len(sound)
        self._pending[0].extend(sound.astype("<i2").tobytes())
        self._write()

    def own(self, now: float, frame: bytes) -> tuple[float, bytes]:
        """Adds a frame of our own."""
        return self._add(1, now, frame)

    def _add(self, side: int, now: float, frame: bytes) -> tuple[float, bytes]:
        start, placed = self._tracks[side].place(now, frame)
        self._pending[side].extend(placed)
        self._write()
        return start, placed

    def _write(self) -> None:
        if min(map(len, self._pending)) >= RATE * 2:
            self._flush(min(map(len, self._pending)))

    def _flush(self, size: int) -> None:
        left, right = (np.frombuffer(bytes(part[:size]), "<i2") for part in self._pending)
        for part in self._pending:
            del part[:size]
        self._wave.writeframes(np.stack([left, right], axis=1).tobytes())

    def close(self, end: float) -> None:
        """Fills both channels with silence up to ``end`` (monotonic) and closes the file."""
        for side in (0, 1):
            late = end - self._tracks[side].origin - self._tracks[side].samples / RATE
            if late > 0:
                self._pending[side].extend(bytes(int(late * RATE) * 2))
        size = max(map(len, self._pending))
        for part in self._pending:
            part.extend(bytes(size - len(part)))
        self._flush(size)
        self._wave.close()
