"""The voice activity network (Silero, 8 kHz) in NumPy: many steps and many calls at once.

Only the recurrent cell needs one step after the other. Everything before it is worked out for all steps of all calls
together, and the cell for one step of all calls together. Each product has the same shape however many there are, so
what a step gives does not depend, to the last bit, on what it was worked out beside. Against ONNX Runtime, which has
to be asked step by step, the results differ by less than 1e-5 and cost less than half for one call, a fifth for many.
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from probes.hearing.weights import Weights, read_weights, silero_file

STEP = 256  # samples in one step
CONTEXT = 32  # samples before it that the network sees too
UNITS = 128

Floats: TypeAlias = NDArray[np.float32]

_GATES = 4 * UNITS
_BINS = 65
_WINDOW, _HOP, _WINDOWS = 128, 64, 4  # of the spectrum, in samples; windows in one step
_WIDE, _NARROW = 128, 64  # channels of the layers


class VoiceNetwork:
    """The network without any state: :meth:`look` at the sound, then :meth:`remember` step by step, then judge."""

    def __init__(self, weights: Weights) -> None:
        def layer(index: int, first: int = 0, last: int = 3) -> tuple[Floats, Floats]:
            """The taps ``first`` to ``last`` of a convolution, as a matrix (inputs, outputs), and its bias."""
            taps = weights[f"encoder.{index}.reparam_conv.weight"][:, :, first:last].transpose(2, 1, 0)
            return _whole(taps.reshape(-1, taps.shape[2])), weights[f"encoder.{index}.reparam_conv.bias"]

        self._spectrum = _whole(weights["stft.forward_basis_buffer"][:, 0].T)
        self._layers = layer(0), layer(1), layer(2, 1), layer(3, 1, 2)  # what falls beside the sound is left out
        order = np.concatenate([np.arange(part * UNITS, (part + 1) * UNITS) for part in (0, 1, 3, 2)])
        scale = np.repeat(np.array([0.5, 0.5, 0.5, 1.0], np.float32), UNITS)  # sigmoid(x) = (1 + tanh(x / 2)) / 2
        self._inward = _whole(weights["decoder.rnn.weight_ih"][order].T * scale)
        self._back = _whole(weights["decoder.rnn.weight_hh"][order].T * scale)
        self._bias = (weights["decoder.rnn.bias_ih"] + weights["decoder.rnn.bias_hh"])[order] * scale
        self._out = _whole(weights["decoder.decoder.2.weight"][0])  # (UNITS, 1)
        self._out_bias = weights["decoder.decoder.2.bias"]

    def look(self, sound: Floats) -> Floats:
        """Takes steps, each with what came before it: ``(n, CONTEXT + STEP)`` in -1..1; returns ``(n, 1, _GATES)``."""
        count = len(sound)
        mirrored = np.concatenate((sound, sound[:, -2 : -2 - CONTEXT : -1]), axis=1)
        waves = np.matmul(_windows(mirrored, _WINDOWS, _WINDOW, _HOP), self._spectrum)
        waves *= waves
        power = np.zeros((count, _WINDOWS + 2, _BINS), np.float32)
        np.add(waves[:, :, :_BINS], waves[:, :, _BINS:], out=power[:, 1:-1])
        np.sqrt(power, out=power)
        wide = np.zeros((count, _WINDOWS + 1, _WIDE), np.float32)
        near = _windows(power.reshape(count, -1), _WINDOWS, 3 * _BINS, _BINS)
        wide[:, 1:] = _layer(near, self._layers[0])
        near = _windows(wide.reshape(count, -1), 2, 3 * _WIDE, 2 * _WIDE)
        narrow = _layer(near, self._layers[1]).reshape(count, 1, 2 * _NARROW)
        seen: Floats = np.matmul(_layer(_layer(narrow, self._layers[2]), self._layers[3]), self._inward)
        seen += self._bias
        return seen

    def remember(self, seen: Floats, memory: Floats, carried: Floats) -> None:
        """Takes one step of n calls (``(n, 1, _GATES)``) into their ``memory`` and ``carried``, ``(n, 1, UNITS)``."""
        gates = np.matmul(memory, self._back)
        gates += seen
        np.tanh(gates, out=gates)
        open_by = gates[:, :, : 3 * UNITS]
        open_by *= 0.5
        open_by += 0.5
        carried *= gates[:, :, UNITS : 2 * UNITS]
        carried += gates[:, :, :UNITS] * gates[:, :, 3 * UNITS :]
        np.tanh(carried, out=memory)
        memory *= gates[:, :, 2 * UNITS : 3 * UNITS]

    def judge(self, memories: Floats) -> list[float]:
        """Returns the probability of speech for memories of shape ``(n, 1, UNITS)``."""
        leaning = np.matmul(np.maximum(memories, 0), self._out)[:, 0, 0] + self._out_bias
        voices: list[float] = (0.5 + 0.5 * np.tanh(0.5 * leaning.astype(np.float64))).tolist()
        return voices


@cache
def voice_network() -> VoiceNetwork:
    """The one of this process. Raises ToolMissing if its file is not there."""
    return VoiceNetwork(read_weights(silero_file()))


def _whole(values: NDArray[np.float32]) -> Floats:
    return np.ascontiguousarray(values, np.float32)


def _windows(rows: Floats, count: int, window: int, hop: int) -> Floats:
    """Returns ``count`` windows of each row, shape ``(n, count, window)``."""
    line, item = rows.strides
    view = np.ndarray((len(rows), count, window), np.float32, rows, strides=(line, hop * item, item))
    return view.copy()


def _layer(near: Floats, layer: tuple[Floats, Floats]) -> Floats:
    out: Floats = np.matmul(near, layer[0])
    out += layer[1]
    np.maximum(out, 0, out=out)
    return out
