"""The files of a speech model for sherpa-onnx, and what is wrong with them: checked here, file by file.

The library itself ends the process on some of these mistakes, or says something that nobody can act on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from probes.hearing.transcription.onnx_file import NoModel, metadata
from probes.target import ModelKind
from scenarios.errors import TargetError

PARTS: dict[ModelKind, tuple[str, ...]] = {
    "streaming-paraformer": ("encoder", "decoder"),
    "streaming-zipformer": ("encoder", "decoder", "joiner"),
    "sense-voice": ("model",),
}
_NEEDED: dict[ModelKind, tuple[str, ...]] = {  # in the metadata of the first part
    "streaming-paraformer": ("vocab_size", "lfr_window_size", "encoder_output_size", "decoder_num_blocks", "neg_mean"),
    "streaming-zipformer": ("encoder_dims", "num_encoder_layers", "left_context_len", "T", "decode_chunk_len"),
    "sense-voice": ("vocab_size", "lfr_window_size", "with_itn", "lang_zh", "neg_mean"),
}
_DOWNLOAD = "fetch and unpack it again: see docs/transcription.md"


class ModelMistake(TargetError):
    """A model that cannot be used; ``key`` is the key under ``transcriber`` that it concerns."""

    def __init__(self, key: str, message: str, *, file: Path, cure: str) -> None:
        super().__init__(message, file=file, cure=cure)
        self.key = key


@dataclass(frozen=True)
class ModelFiles:
    """A model's files: ``networks`` by part, ``bpe`` for hotwords in letters, ``hotwords`` if there are any."""

    kind: ModelKind
    tokens: Path
    networks: Mapping[str, Path]
    bpe: Path | None = None
    hotwords: Path | None = None


def find_model(folder: Path, kind: ModelKind, hotwords: Path | None = None) -> ModelFiles:
    """Finds and checks the files of a model.

    Args:
        folder: where its archive was unpacked.
        kind: what sort of model it is.
        hotwords: phrases to expect, UTF-8, one a line; for streaming-zipformer only.

    Raises:
        ModelMistake: a file is missing, unreadable, cut short or of another kind of model; or tokens.txt does not
            fit; or the hotwords cannot be used.
    """
    if not folder.is_dir():
        raise ModelMistake("model", "there is no such folder", file=folder, cure="unpack the model there")
    networks = {part: _network(folder, kind, part) for part in PARTS[kind]}
    told = {part: _metadata(path) for part, path in networks.items()}
    first = PARTS[kind][0]
    lacking = [name for name in _NEEDED[kind] if name not in told[first]]
    if lacking:
        other = next((name for name, needed in _NEEDED.items() if needed and set(needed) <= set(told[first])), None)
        if other is not None:
            raise ModelMistake(
                "kind", f"this is a model of kind {other}", file=networks[first], cure=f"write kind: {other}"
            )
        message = f"this is no {kind} model for sherpa-onnx: its metadata lack {', '.join(lacking)}"
        cure = "use a model that the sherpa-onnx project publishes, or another kind"
        raise ModelMistake("kind", message, file=networks[first], cure=cure)
    size = told["decoder" if kind == "streaming-zipformer" else first].get("vocab_size", "")
    tokens = folder / "tokens.txt"
    _check_tokens(tokens, int(size) if size.isdecimal() else 1)
    bpe = folder / "bpe.vocab"
    if hotwords is not None:
        _check_hotwords(hotwords, kind)
    return ModelFiles(kind, tokens, networks, bpe if bpe.is_file() else None, hotwords)


def symbols(path: Path) -> dict[int, str]:
    """Reads ``tokens.txt``: number -> symbol.

    Raises:
        ValueError: a line is not a symbol and a number, or a number occurs twice; the message names the line.
        OSError: it cannot be read.
    """
    found: dict[int, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        parts = line.split()
        if len(parts) not in (1, 2) or not parts[-1].isdecimal():  # one: the symbol is a space
            raise ValueError(f"line {number} is not a symbol and its number")
        if int(parts[-1]) in found:
            raise ValueError(f"line {number} gives number {parts[-1]} a second time")
        found[int(parts[-1])] = parts[0] if len(parts) == 2 else " "
    return found


def _network(folder: Path, kind: ModelKind, part: str) -> Path:
    """Returns the one network of ``part``, the 8-bit one where both precisions are there."""
    found = sorted(path for path in folder.glob("*.onnx") if path.name.startswith(part))
    small = [path for path in found if path.name.endswith(".int8.onnx")]
    chosen = small or found
    if not chosen:
        here = ", ".join(sorted(path.name for path in folder.glob("*.onnx"))) or "none"
        fitting = [name for name, parts in PARTS.items() if all(any(folder.glob(f"{each}*.onnx")) for each in parts)]
        message = f"there is no {part}*.onnx, which a {kind} model has (*.onnx here: {here})"
        if fitting:
            longest = max(fitting, key=lambda name: len(PARTS[name]))
            raise ModelMistake("kind", message, file=folder, cure=f"the files are those of kind: {longest}")
        raise ModelMistake("model", message, file=folder, cure="name the folder that holds the unpacked model")
    if len(chosen) > 1:
        message = f"it holds several networks {part}*.onnx: {', '.join(path.name for path in chosen)}"
        raise ModelMistake("model", message, file=folder, cure="leave one of them there")
    return chosen[0]


def _metadata(path: Path) -> dict[str, str]:
    try:
        return metadata(path)
    except NoModel as problem:
        raise ModelMistake("model", f"the file {problem}", file=path, cure=_DOWNLOAD) from None
    except OSError as problem:
        message = f"the file cannot be read: {problem.strerror}"
        raise ModelMistake("model", message, file=path, cure="correct its permissions") from None


def _check_tokens(path: Path, size: int) -> None:
    """Sees that every number from 0 to ``size`` - 1 has its symbol."""
    try:
        known = symbols(path)
    except FileNotFoundError:
        raise ModelMistake("model", "there is no tokens.txt beside the networks", file=path, cure=_DOWNLOAD) from None
    except UnicodeDecodeError:
        raise ModelMistake("model", "this is no text in UTF-8", file=path, cure=_DOWNLOAD) from None
    except ValueError as problem:
        raise ModelMistake("model", str(problem), file=path, cure=_DOWNLOAD) from None
    except OSError as problem:
        message = f"the file cannot be read: {problem.strerror}"
        raise ModelMistake("model", message, file=path, cure="correct its permissions") from None
    missing = next((number for number in range(size) if number not in known), None)
    if missing is not None:
        message = f"the networks know {size} symbols, and number {missing} is not in here"
        raise ModelMistake("model", message, file=path, cure="take the tokens.txt of the same model")


def _check_hotwords(path: Path, kind: ModelKind) -> None:
    if kind != "streaming-zipformer":
        raise ModelMistake(
            "hotwords",
            f"a {kind} model knows no hotwords",
            file=path,
            cure="leave them out, or use streaming-zipformer",
        )
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ModelMistake("hotwords", "there is no such file", file=path, cure="make it, or leave it out") from None
    except (OSError, UnicodeDecodeError):
        raise ModelMistake("hotwords", "this is no text in UTF-8", file=path, cure="save it as UTF-8") from None
    if not text.strip():
        raise ModelMistake("hotwords", "there is no phrase in it", file=path, cure="write one phrase a line")
