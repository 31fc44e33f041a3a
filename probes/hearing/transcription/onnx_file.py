"""Reads what an ONNX file says about itself, without loading the network: its length and its metadata.

An ONNX file is one protobuf message. Its top-level fields are walked and the network itself is skipped, so a file of
any size takes a moment; one that was cut short on its way here is noticed, because a field says how long it is.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_GRAPH, _METADATA = 7, 14  # fields of the message
_VARINT, _EIGHT, _LENGTH, _FOUR = 0, 1, 2, 5  # how a field is written
_LONGEST = 10_000_000  # bytes of one entry of the metadata


class NoModel(ValueError):
    """The file is not a whole ONNX model; the message ends the sentence "the file …"."""


def metadata(path: Path) -> dict[str, str]:
    """Returns the metadata of an ONNX file: name -> value.

    Raises:
        NoModel: it is no ONNX file, or cut short.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(24).startswith(b"version https://git-lfs"):
            raise NoModel("is the place-holder of Git LFS: the model itself was not fetched")
        file.seek(0)
        entries: dict[str, str] = {}
        graph = False
        while file.tell() < size:
            field, length = _field(file, size)
            if field == _METADATA:
                if length > _LONGEST:
                    raise NoModel("is no ONNX model")
                name, value = _entry(file.read(length))
                entries[name] = value
            else:
                graph = graph or field == _GRAPH
                file.seek(length, os.SEEK_CUR)
    if not graph:
        raise NoModel("is no ONNX model" if size else "is empty")
    return entries


def _field(file: BinaryIO, size: int) -> tuple[int, int]:
    """Reads the head of a field: its number, and how many bytes of it follow."""
    tag = _number(file)
    field, written = tag >> 3, tag & 7
    if written == _VARINT:
        _number(file)
        length = 0
    elif written == _LENGTH:
        length = _number(file)
    elif written in (_EIGHT, _FOUR):
        length = 8 if written == _EIGHT else 4
    else:
        raise NoModel("is no ONNX model")
    if not field:
        raise NoModel("is no ONNX model")
    if length > size - file.tell():
        raise NoModel(f"is cut short ({size} bytes), or no ONNX model")
    return field, length


def _number(file: BinaryIO) -> int:
    """Reads a number of variable length."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise NoModel("is cut short, or no ONNX model")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise NoModel("is no ONNX model")


def _entry(data: bytes) -> tuple[str, str]:
    """Returns name and value of one entry of the metadata."""
    parts = {1: b"", 2: b""}
    at = 0
    while at < len(data):
        field, length, at = data[at] >> 3, 0, at + 1
        for shift in range(0, 35, 7):
            if at >= len(data):
                raise NoModel("is no ONNX model")
            byte, at = data[at], at + 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        if field not in parts:
            raise NoModel("is no ONNX model")
        parts[field] = data[at : at + length]
        at += length
    return parts[1].decode(errors="replace"), parts[2].decode(errors="replace")
