"""Makes the transcriber that a target names, and finds what is wrong with what it says about it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from probes.hearing.transcription.model_files import ModelFiles, ModelMistake, find_model
from probes.hearing.transcription.phrasebook import PhrasebookTranscriber, read_phrases
from probes.hearing.transcription.trial import try_model
from probes.hearing.transcription.words import Deaf, Transcriber
from probes.hearing.wav import read_wav
from probes.target import Target, TranscriberSpec
from probes.trunk_mistakes import Mistake
from scenarios.errors import TargetError, ToolMissing

PACKAGE = "sherpa_onnx"
_INSTALL = "pip install 'contact-centre-shopper[asr]'"
_KEYS = {"none": (), "phrasebook": ("phrases",), "sherpa-onnx": ("model", "kind", "hotwords")}


def open_transcriber(target: Target, folder: Path) -> Transcriber:
    """Makes the transcriber of a target that was checked on loading.

    Args:
        target: the target; without ``transcriber`` it is the backend ``none``.
        folder: that its relative paths start from.

    Raises:
        TargetError: a file is no longer as it was on loading.
        ToolMissing: the package sherpa-onnx is not installed.
    """
    spec = target.transcriber
    if spec is None or spec.backend == "none":
        return Deaf()
    if spec.backend == "phrasebook":
        known = [(prompt, read_wav(target.prompt_path(prompt, folder))) for prompt in target.prompts]
        return PhrasebookTranscriber(known + ([] if spec.phrases is None else read_phrases(folder / spec.phrases)))
    if importlib.util.find_spec(PACKAGE) is None:
        raise ToolMissing(f"sherpa-onnx is not installed ({_INSTALL})")
    from probes.hearing.transcription.sherpa import SherpaTranscriber

    files = _model(spec, folder)
    try_model(files)
    return SherpaTranscriber(files, target.lang)


def transcriber_mistakes(target: Target, folder: Path) -> Iterator[Mistake]:
    """Yields where, what and the cure; a mistake within a phrasebook is raised at its own place.

    A model is loaded once, in a process of its own: this takes as long as loading it.
    """
    spec = target.transcriber
    if spec is None:
        return
    for name in ("phrases", "model", "kind", "hotwords"):
        if getattr(spec, name) is not None and name not in _KEYS[spec.backend]:
            cure = "leave it out, or name the backend it belongs to"
            yield ("transcriber", name), f"the backend {spec.backend} has no key '{name}'", cure
    if spec.backend == "phrasebook":
        yield from _phrasebook(spec, target, folder)
    elif spec.backend == "sherpa-onnx":
        yield from _sherpa(spec, folder)


def _phrasebook(spec: TranscriberSpec, target: Target, folder: Path) -> Iterator[Mistake]:
    if spec.phrases is None:
        if not any(prompt.text for prompt in target.prompts):
            message = "the backend phrasebook has nothing to recognise"
            yield ("transcriber",), message, "give prompts their text, or name a folder under phrases"
        return
    try:
        read_phrases(folder / spec.phrases)
    except TargetError as problem:
        if problem.line is not None:
            raise
        cure = "name a folder that holds phrasebook.yaml"
        yield ("transcriber", "phrases"), f"the phrasebook: {problem}", cure


def _sherpa(spec: TranscriberSpec, folder: Path) -> Iterator[Mistake]:
    for name in ("model", "kind"):
        if getattr(spec, name) is None:
            yield ("transcriber",), f"the backend sherpa-onnx needs the key '{name}'", f"add '{name}: ...'"
            return
    if importlib.util.find_spec(PACKAGE) is None:
        yield ("transcriber", "backend"), "sherpa-onnx is not installed", _INSTALL
        return
    try:
        try_model(_model(spec, folder))
    except ModelMistake as problem:
        yield ("transcriber", problem.key), f"{problem.message}: {problem.file}", problem.cure or ""


def _model(spec: TranscriberSpec, folder: Path) -> ModelFiles:
    assert spec.model is not None
    assert spec.kind is not None
    return find_model(folder / spec.model, spec.kind, None if spec.hotwords is None else folder / spec.hotwords)
