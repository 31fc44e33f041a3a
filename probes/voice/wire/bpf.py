"""The filter that keeps the kernel from handing over other people's packets: classic BPF, assembled here."""

from __future__ import annotations

import struct
from collections.abc import Iterable

_LD_W, _LD_H, _LD_B = 0x20, 0x28, 0x30  # load from a fixed place
_LD_H_X = 0x48  # load 16 bits from behind the IPv4 header
_LDX_HEADER = 0xB1  # X = length of the IPv4 header
_JEQ, _JGT, _JGE, _JSET = 0x15, 0x25, 0x35, 0x45
_RET = 0x06
_ANCILLARY = 0xFFFFF000  # what the kernel knows of a packet, by negative address
_PROTOCOL, _PACKET_TYPE, _INTERFACE = _ANCILLARY, _ANCILLARY + 4, _ANCILLARY + 8
_IPV4, _UDP, _TCP, _LATER_FRAGMENT, _OUTGOING = 0x0800, 17, 6, 0x1FFF, 4
_WHOLE = 0x40000
RANGES = 40  # a jump reaches 255 instructions


def merged(ports: Iterable[range]) -> list[range]:
    """Returns the same ports as few ranges in order, none of them empty."""
    found: list[range] = []
    for each in sorted((each for each in ports if each), key=lambda each: each.start):
        if found and each.start <= found[-1].stop:
            found[-1] = range(found[-1].start, max(found[-1].stop, each.stop))
        else:
            found.append(each)
    return found


def program(ports: Iterable[range], loopback: int | None) -> bytes:
    """Returns a filter that passes IPv4 UDP and TCP from or to ``ports``, each packet of the loopback once.

    It is for a socket that shows packets from their IP header on. Later fragments do not pass.

    Args:
        ports: an empty collection passes nothing.
        loopback: index of the interface that shows every packet twice, on its way out and on its way in.

    Raises:
        ValueError: more separate ranges than a filter can hold.
    """
    ranges = merged(ports)
    if len(ranges) > RANGES:
        raise ValueError(f"{len(ranges)} ranges of ports; at most {RANGES} fit into a filter")
    steps: list[tuple[int, int | str, int | str, int]] = [(_LD_W, 0, 0, _PROTOCOL), (_JEQ, 0, "drop", _IPV4)]
    if loopback is not None:
        steps += [(_LD_W, 0, 0, _INTERFACE), (_JEQ, 0, 2, loopback), (_LD_W, 0, 0, _PACKET_TYPE)]
        steps += [(_JEQ, "drop", 0, _OUTGOING)]
    steps += [(_LD_B, 0, 0, 9), (_JEQ, 1, 0, _UDP), (_JEQ, 0, "drop", _TCP)]
    steps += [(_LD_H, 0, 0, 6), (_JSET, "drop", 0, _LATER_FRAGMENT), (_LDX_HEADER, 0, 0, 0)]
    for place in (0, 2):  # source port, target port
        steps.append((_LD_H_X, 0, 0, place))
        for each in ranges:
            steps += [(_JGE, 0, 1, each.start), (_JGT, 0, "pass", each.stop - 1)]
    labels = {"drop": len(steps), "pass": len(steps) + 1}
    steps += [(_RET, 0, 0, 0), (_RET, 0, 0, _WHOLE)]

    def jump(at: int, to: int | str) -> int:
        return to if isinstance(to, int) else labels[to] - at - 1

    return b"".join(
        struct.pack("=HBBI", code, jump(at, true), jump(at, false), value)
        for at, (code, true, false, value) in enumerate(steps)
    )
