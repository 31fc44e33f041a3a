"""The known recordings of one centre, ready to be looked up by half a second of sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probes.hearing.lowband import LOW_RATE, Low, LowBand
from probes.hearing.wav import RATE, Pcm
from probes.target import Prompt

PHASES = RATE // LOW_RATE
QUERY = LOW_RATE // 2  # samples of sound in one look-up
_HEAD = 3 * LOW_RATE  # recordings are looked for by their first three seconds
_SIZE = 8192  # of the transform: head + query without wrapping round


@dataclass(frozen=True)
class Again:
    """Something said earlier in the same call, by whomever: ``first`` is when, in session seconds."""

    id: str
    first: tuple[float, float]
    role: None = None
    text: str = ""


@dataclass(frozen=True)
class Reference:
    """One recording, from its first to its last audible sample."""

    prompt: Prompt | Again
    phases: tuple[Low, ...]  # [k]: played k samples (at 8 kHz) later
    seconds: float
    lead: float  # seconds of silence before, cut off
    voiced: float  # RMS of its loud parts, in the low band

    @property
    def low(self) -> Low:
        """The recording in the low band."""
        return self.phases[0]


@dataclass(frozen=True)
class Found:
    """Where a look-up fits: sample ``position`` of the recording (may be negative) is the query's first."""

    index: int
    position: int
    likeness: float


class Library:
    """Prompts with their recordings: 8 kHz samples each."""

    def __init__(self, prompts: list[tuple[Prompt, Pcm]]) -> None:
        self.references = [_reference(prompt, pcm) for prompt, pcm in prompts]
        self._heads, self._scale = _spectra(self.references)

    def copy(self) -> Library:
        """Returns one that holds the same recordings, without copying them; what is added to it stays there."""
        twin = Library.__new__(Library)
        twin.references = list(self.references)
        twin._heads, twin._scale = self._heads, self._scale
        return twin

    def add(self, prompt: Prompt | Again, pcm: Pcm) -> None:
        """Adds a recording: from now on it is found as well."""
        reference = _reference(prompt, pcm)
        heads, scale = _spectra([reference])
        self.references.append(reference)
        self._heads, self._scale = np.concatenate((self._heads, heads)), np.concatenate((self._scale, scale))

    def find(self, query: Low, least: float) -> list[Found]:
        """Looks ``query`` up.

        Args:
            query: the last ``QUERY`` samples at 2 kHz.
            least: smallest likeness (0..1) of interest.

        Returns:
            The best place in each recording that has one, best first.
        """
        power = float(query @ query)
        if not self.references or power < QUERY * 4.0:
            return []
        product = self._heads * np.conj(np.fft.rfft(query, _SIZE).astype(np.complex64))
        dots = np.fft.irfft(product, _SIZE, axis=1)
        dots = np.concatenate((dots[:, -QUERY:], dots[:, :_HEAD]), axis=1)
        fits = dots * (self._scale / np.float32(power**0.5))
        best = fits.argmax(axis=1)
        found = [
            Found(index, int(place) - QUERY, float(fits[index, place]))
            for index, place in enumerate(best)
            if fits[index, place] >= least
        ]
        return sorted(found, key=lambda fit: -fit.likeness)


def _spectra(references: Sequence[Reference]) -> tuple[NDArray[np.complex64], NDArray[np.float32]]:
    """Returns what a look-up multiplies with: the heads' spectra, and a scale for each shift."""
    heads = np.zeros((len(references), _SIZE), np.float32)
    for row, reference in zip(heads, references, strict=True):
        head = reference.low[:_HEAD]
        row[: len(head)] = head
    powers = np.pad(np.cumsum(heads.astype(np.float64) ** 2, axis=1), ((0, 0), (QUERY, 0)))
    last = np.arange(-QUERY, _HEAD) + QUERY  # shift -QUERY .. _HEAD-1: power under the query
    under = powers[:, last + QUERY - 1] - np.where(last > 0, powers[:, np.maximum(last - 1, 0)], 0)
    quiet = np.array([QUERY * (0.2 * reference.voiced) ** 2 for reference in references])
    scale = (1 / np.sqrt(np.maximum(under, quiet[:, None] + 1))).astype(np.float32)
    return np.fft.rfft(heads, axis=1).astype(np.complex64), scale


def _reference(prompt: Prompt | Again, pcm: Pcm) -> Reference:
    loud = np.flatnonzero(
        np.abs(pcm.astype(np.int32)) > max(30, int(np.abs(pcm.astype(np.int32)).max(initial=0)) // 100)
    )
    first, last = (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, len(pcm))
    heard = pcm[first:last]
    count = len(heard) * LOW_RATE // RATE + 1
    phases = tuple(LowBand().push(np.pad(heard, (shift, PHASES * 16)))[:count] for shift in range(PHASES))
    rms = np.sqrt(np.mean(np.pad(phases[0], (0, -count % 40)).reshape(-1, 40).astype(np.float64) ** 2, axis=1))
    loudest = rms[rms > rms.max(initial=0.0) / 5]
    voiced = float(np.sqrt(np.mean(loudest**2))) if len(loudest) else 1.0
    return Reference(prompt, phases, len(heard) / RATE, first / RATE, max(voiced, 1.0))
