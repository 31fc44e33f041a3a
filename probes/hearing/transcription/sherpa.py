"""The backend ``sherpa-onnx``: a speech model that lies in a folder. Nothing is fetched, nothing leaves the machine.

The package is imported only here, and only when a recogniser is made. Telephone audio is brought to the
16 kHz that the models know before the library gets it. Where the times come from:

* streaming-zipformer and sense-voice: the model's own, to 40 and 60 ms; a word ends where the next begins, at most
  0.3 s later.
* streaming-paraformer has none. It is fed block by block, and the words that a block of 0.6 s brings are spread evenly
  over it: they may be misplaced by that much.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from probes.hearing.transcription.coverage import accounted_for, speech
from probes.hearing.transcription.model_files import ModelFiles, symbols
from probes.hearing.transcription.tokens import Token, unknown, words_of
from probes.hearing.transcription.words import Transcript, Word
from probes.hearing.wav import RATE, Pcm
from scenarios.model import Lang

MODEL_RATE = 16000
_TAIL_S = 1.2  # silence after the audio: a streaming model gives its last words late
_HEAD_S = 0.3  # shortest audio that sense-voice may be given
_LONGEST_S, _SEARCHED_S = 28.0, 8.0  # of one piece for sense-voice, cut where it is quietest in its last 8 s
_WORD_S = 0.3  # longest duration of a symbol
_BLOCK_S, _BLOCK_FROM = 0.6, -0.18  # paraformer: what one step brings, and where that lies against the step's place
_SLACK_S = 0.6  # by how much words may be misplaced before speech without words is noticed


class SherpaTranscriber:
    """A recogniser on one thread. Making it takes a second or two and the model's size in memory."""

    def __init__(self, files: ModelFiles, lang: Lang = "zh") -> None:
        """Loads the model.

        Args:
            files: as :func:`~probes.hearing.transcription.model_files.find_model` found them.
            lang: the language spoken; only sense-voice asks.

        Raises:
            RuntimeError: the library does not take the model. On some mistakes it ends the process instead, so
                :func:`~probes.hearing.transcription.trial.try_model` comes first.
        """
        self._kind = files.kind
        self._recogniser = _recogniser(files, lang)
        self._pieces = any(symbol.startswith("\u2581") for symbol in symbols(files.tokens).values())

    def transcribe(self, pcm: Pcm, start: float) -> Transcript:
        """Transcribes; incomplete if a symbol was not recognised, or speech brought no words."""
        words: list[Word] = []
        known = True
        for first, piece in self._pieces_of(pcm):
            tokens, text = self._recognise(piece, start + first / RATE)
            known = known and not any(unknown(token) for token in tokens)
            words += words_of(tokens, text, pieces=self._pieces)
        complete = known and accounted_for(speech(pcm, start), words, _SLACK_S)
        return Transcript(tuple(words), complete, "sherpa-onnx")

    def _pieces_of(self, pcm: Pcm) -> Iterator[tuple[int, Pcm]]:
        """Yields the audio in pieces that the model can take at once, each with its first sample's place."""
        if not len(pcm):
            return
        first, longest = 0, round(_LONGEST_S * RATE)
        while self._kind == "sense-voice" and len(pcm) - first > longest:
            searched = pcm[first + longest - round(_SEARCHED_S * RATE) : first + longest]
            cells = searched[: len(searched) // 160 * 160].astype(np.float64).reshape(-1, 160)
            smooth = np.convolve(np.mean(cells**2, axis=1), np.ones(10), "same")
            cut = first + longest - len(searched) + int(smooth.argmin()) * 160 + 80
            yield first, pcm[first:cut]
            first = cut
        yield first, pcm[first:]

    def _recognise(self, pcm: Pcm, start: float) -> tuple[list[Token], str]:
        """Returns the symbols of one piece and the library's text."""
        sound = wideband(pcm)
        seconds = len(pcm) / RATE
        stream = self._recogniser.create_stream()
        if self._kind == "sense-voice":
            stream.accept_waveform(MODEL_RATE, _padded(sound, _HEAD_S))
            self._recogniser.decode_stream(stream)
            result = stream.result
            times, logs = list(result.timestamps), list(result.ys_log_probs)
        else:
            stream.accept_waveform(MODEL_RATE, _padded(sound, seconds + _TAIL_S))
            stream.input_finished()
            spread = self._decode(stream)
            result = self._recogniser.get_result_all(stream)
            timed = self._kind == "streaming-zipformer"
            times, logs = (list(result.timestamps), list(result.ys_probs)) if timed else (spread, [])
        found = list(result.tokens)
        if len(times) != len(found):
            times = [seconds * index / len(found) for index in range(len(found))]
        if len(logs) != len(found):
            logs = [math.nan] * len(found)
        tokens = []
        for index, (symbol, begin, log) in enumerate(zip(found, times, logs, strict=True)):
            begin = min(max(0.0, begin), seconds)
            after = times[index + 1] if index + 1 < len(times) else math.inf
            end = max(begin, min(after, begin + _WORD_S, seconds))
            confidence = None if math.isnan(log) else min(1.0, math.exp(log))
            tokens.append(Token(symbol, start + begin, start + end, confidence))
        return tokens, str(result.text)

    def _decode(self, stream: Any) -> list[float]:
        """Decodes a stream to its end; returns where each symbol lies, in seconds, as the blocks brought them."""
        times: list[float] = []
        block = 0
        while self._recogniser.is_ready(stream):
            self._recogniser.decode_stream(stream)
            new = len(self._recogniser.tokens(stream)) - len(times)
            begin = block * _BLOCK_S + _BLOCK_FROM
            times += [begin + _BLOCK_S * index / new for index in range(new)]
            block += 1
        return times


def wideband(pcm: Pcm) -> NDArray[np.float32]:
    """Returns telephone audio as the models take it: 16 kHz, -1..1; what is above 4 kHz stays empty."""
    if not len(pcm):
        return np.zeros(0, np.float32)
    taken: NDArray[np.float32] = resample_poly(pcm.astype(np.float32) / np.float32(32768), MODEL_RATE // RATE, 1)
    return taken


def _padded(sound: NDArray[np.float32], seconds: float) -> NDArray[np.float32]:
    """Returns ``sound`` with silence after it, at least ``seconds`` long."""
    return np.pad(sound, (0, max(0, math.ceil(seconds * MODEL_RATE) - len(sound))))


def _recogniser(files: ModelFiles, lang: Lang) -> Any:
    import sherpa_onnx

    paths = {part: str(path) for part, path in files.networks.items()} | {"tokens": str(files.tokens)}
    if files.kind == "sense-voice":
        return sherpa_onnx.OfflineRecognizer.from_sense_voice(**paths, num_threads=1, language=lang, use_itn=False)
    if files.kind == "streaming-paraformer":
        return sherpa_onnx.OnlineRecognizer.from_paraformer(**paths, num_threads=1, sample_rate=MODEL_RATE)
    more: dict[str, Any] = {}
    if files.hotwords is not None:
        more = {"decoding_method": "modified_beam_search", "hotwords_file": str(files.hotwords)}
        if files.bpe is not None:
            more |= {"modeling_unit": "cjkchar+bpe", "bpe_vocab": str(files.bpe)}
    return sherpa_onnx.OnlineRecognizer.from_transducer(**paths, num_threads=1, sample_rate=MODEL_RATE, **more)
