"""A tiny SNTP client (RFC 5905, section 14): how far this clock is from a server's."""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from dataclasses import dataclass

from scenarios.errors import FarEndFault

PORT = 123
_PACKET = struct.Struct("!BBBb11I")
_EPOCH_S = 2_208_988_800  # 1900 to 1970
_ERA_S = 1 << 32
TRIES, PATIENCE_S = 3, 2.0


@dataclass(frozen=True)
class Reading:
    """``offset_s`` is what must be added to our clock; the truth lies within ``delay_s / 2`` of it."""

    offset_s: float
    delay_s: float
    stratum: int


class _Client(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answers: asyncio.Queue[tuple[float, bytes] | OSError] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        self.answers.put_nowait((time.time(), data))

    def error_received(self, exc: Exception) -> None:
        self.answers.put_nowait(exc if isinstance(exc, OSError) else OSError(str(exc)))


async def ask(host: str, port: int = PORT) -> Reading:
    """Asks a server for the time.

    Raises:
        FarEndFault: it cannot be found, does not answer, or its answer is of no use.
    """
    try:
        transport, client = await asyncio.get_running_loop().create_datagram_endpoint(_Client, remote_addr=(host, port))
    except OSError as error:
        raise FarEndFault(f"the time server {host} cannot be reached: {error.strerror or error}") from error
    try:
        for _ in range(TRIES):
            try:
                async with asyncio.timeout(PATIENCE_S):
                    return await _once(transport, client)
            except TimeoutError:
                continue
            except OSError as error:
                raise FarEndFault(f"the time server {host} port {port} refuses: {error.strerror or error}") from error
    finally:
        transport.close()
    raise FarEndFault(f"the time server {host} port {port} did not answer {TRIES} questions")


async def _once(transport: asyncio.DatagramTransport, client: _Client) -> Reading:
    nonce = secrets.randbits(32), secrets.randbits(32)  # instead of our time: the answer repeats it
    sent = time.time()
    transport.sendto(_PACKET.pack(4 << 3 | 3, 0, 0, 0, *[0] * 9, *nonce))
    while True:
        answer = await client.answers.get()
        if isinstance(answer, OSError):
            raise answer
        came, data = answer
        if len(data) < _PACKET.size:
            continue
        first, stratum, _poll, _precision, *words = _PACKET.unpack(data[: _PACKET.size])
        if first & 7 != 4 or tuple(words[5:7]) != nonce:
            continue  # not a server's answer to this question
        if not 1 <= stratum <= 15 or first >> 6 == 3:
            raise FarEndFault("the time server says that it does not know the time itself")
        received, answered = _seconds(*words[7:9]), _seconds(*words[9:11])
        delay = max(0.0, (came - sent) - (answered - received))
        return Reading(((received - sent) + (answered - came)) / 2, delay, stratum)


def _seconds(whole: int, fraction: int) -> float:
    """Returns the Unix time of a stamp; the era that began in 2036 is known by its first bit."""
    return whole + fraction / _ERA_S - _EPOCH_S + (0 if whole >> 31 else _ERA_S)
