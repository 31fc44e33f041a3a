"""Speech models small enough to be written by hand: they tell a low, a middle and a high tone apart.

Real ones are hundreds of megabytes and come under licences of their own. These have the inputs, outputs and metadata
of the three kinds that sherpa-onnx loads here, so its resampling, its features and its decoding are the real ones. The
symbols are 低 (below 1 kHz), 中 (to 3 kHz) and 高 (above it, which an 8 kHz line hardly holds).
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

MELS = 80
FLOAT, INT32, INT64 = 1, 6, 7
LOW, MIDDLE, HIGH = "低", "中", "高"


def number(value):
    """A protobuf varint."""
    data = b""
    while value >= 0x80:
        data += bytes([value & 0x7F | 0x80])
        value >>= 7
    return data + bytes([value])


def field(tag, value):
    if isinstance(value, int):
        return number(tag << 3) + number(value)
    if isinstance(value, float):
        return number(tag << 3 | 5) + struct.pack("<f", value)
    data = value.encode() if isinstance(value, str) else value
    return number(tag << 3 | 2) + number(len(data)) + data


def tensor(name, array):
    kind = {"float32": FLOAT, "int64": INT64, "int32": INT32}[str(array.dtype)]
    dims = b"".join(field(1, size) for size in array.shape)
    return dims + field(2, kind) + field(8, name) + field(9, array.tobytes())


def value(name, kind, *shape):
    dims = b"".join(field(1, field(1, size) if isinstance(size, int) else field(2, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, dims)))


def attribute(name, given):
    if isinstance(given, float):
        return field(1, name) + field(2, given) + field(20, 1)
    if isinstance(given, int):
        return field(1, name) + field(3, given) + field(20, 2)
    return field(1, name) + b"".join(field(8, each) for each in given) + field(20, 7)


def node(kind, inputs, outputs, **attributes):
    return (
        b"".join(field(1, name) for name in inputs)
        + b"".join(field(2, name) for name in outputs)
        + field(4, kind)
        + b"".join(field(5, attribute(name, given)) for name, given in attributes.items())
    )


def write(path: Path, nodes, constants, inputs, outputs, metadata):
    graph = b"".join(field(1, each) for each in nodes) + field(2, "tiny")
    graph += b"".join(field(5, tensor(name, array)) for name, array in constants.items())
    graph += b"".join(field(11, each) for each in inputs) + b"".join(field(12, each) for each in outputs)
    model = field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))
    model += b"".join(field(14, field(1, name) + field(2, str(text))) for name, text in metadata.items())
    path.write_bytes(model)


def bands(width, window=1):
    """Weights that turn ``window`` frames of 80 mel energies into ``width`` levels: low, middle, high first."""

    def mel(hertz):
        return 1127 * math.log(1 + hertz / 700)

    centres = mel(20) + (mel(7600) - mel(20)) * (np.arange(MELS) + 1) / (MELS + 1)
    weights = np.zeros((MELS, width), np.float32)
    for column, (first, last) in enumerate(((0, 1000), (1000, 3000), (3000, 8000))):
        inside = (centres >= mel(first)) & (centres < mel(last))
        weights[inside, column] = 1 / inside.sum()
    return np.tile(weights, (window, 1)) / np.float32(window)


def tokens(folder, *names):
    lines = "".join(f"{name} {index}\n" for index, name in enumerate(names))
    (folder / "tokens.txt").write_text(lines, encoding="utf-8")


def paraformer(folder: Path, *, loud=8.0, names=("<blank>", LOW, MIDDLE, HIGH)) -> Path:
    """A streaming Paraformer: a symbol for every 0.2 s in which the loudest band is above ``loud`` (log energy)."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens(folder, *names)
    feats = 7 * MELS
    write(
        folder / "encoder.onnx",
        [
            node("MatMul", ["speech", "bands"], ["enc"]),
            node("ReduceMax", ["enc"], ["level"], axes=(2,), keepdims=0),
            node("Sub", ["level", "loud"], ["above"]),
            node("Clip", ["above", "zero", "third"], ["alphas"]),
            node("Identity", ["speech_lengths"], ["enc_len"]),
        ],
        {
            "bands": bands(3, 7),
            "loud": np.float32([loud]),
            "zero": np.array(0, np.float32),
            "third": np.array(0.3, np.float32),
        },
        [value("speech", FLOAT, 1, "T", feats), value("speech_lengths", INT32, 1)],
        [value("enc", FLOAT, 1, "T", 3), value("enc_len", INT32, 1), value("alphas", FLOAT, 1, "T")],
        {
            "vocab_size": len(names), "lfr_window_size": 7, "lfr_window_shift": 6, "encoder_output_size": 3,
            "decoder_num_blocks": 1, "decoder_kernel_size": 3, "model_type": "paraformer",
            "neg_mean": ",".join(["0"] * feats), "inv_stddev": ",".join([str(1 / math.sqrt(3))] * feats),
        },
    )  # fmt: skip
    write(
        folder / "decoder.onnx",
        [
            node("MatMul", ["embeds", "symbols"], ["logits"]),
            node("ArgMax", ["logits"], ["sample_ids"], axis=2, keepdims=0),
            node("Identity", ["in_cache_0"], ["out_cache_0"]),
        ],
        {"symbols": np.eye(3, 4, 1, np.float32)},
        [
            value("enc", FLOAT, 1, "T", 3), value("enc_len", INT32, 1), value("embeds", FLOAT, 1, "N", 3),
            value("embeds_len", INT32, 1), value("in_cache_0", FLOAT, 1, 3, 2),
        ],
        [
            value("logits", FLOAT, 1, "N", 4), value("sample_ids", INT64, 1, "N"), value("out_cache_0", FLOAT, 1, 3, 2),
        ],
        {},
    )  # fmt: skip
    return folder


def sense_voice(folder: Path, *, loud=8.0) -> Path:
    """SenseVoice: four symbols about the audio, then a symbol for every stretch of one tone."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens(folder, "<unk>", LOW, MIDDLE, HIGH, "<|zh|>", "<|NEUTRAL|>", "<|Speech|>", "<|woitn|>")
    feats = 7 * MELS
    about = np.zeros((1, 4, 8), np.float32)
    about[0, range(4), range(4, 8)] = 50
    silent = np.zeros(8, np.float32)
    silent[0], silent[4:] = loud, -50
    write(
        folder / "model.onnx",
        [
            node("MatMul", ["x", "bands"], ["levels"]),
            node("MatMul", ["levels", "symbols"], ["heard"]),
            node("Add", ["heard", "silent"], ["frames"]),
            node("Concat", ["about", "frames"], ["logits"], axis=1),
        ],
        {"bands": bands(3, 7), "symbols": np.eye(3, 8, 1, np.float32), "silent": silent, "about": about},
        [
            value("x", FLOAT, 1, "T", feats), value("x_length", INT32, 1), value("language", INT32, 1),
            value("text_norm", INT32, 1),
        ],
        [value("logits", FLOAT, 1, "T4", 8)],
        {
            "vocab_size": 8, "lfr_window_size": 7, "lfr_window_shift": 6, "normalize_samples": 0, "with_itn": 14,
            "without_itn": 15, "lang_auto": 0, "lang_zh": 3, "lang_en": 4, "lang_yue": 7, "lang_ja": 11, "lang_ko": 12,
            "neg_mean": ",".join(["0"] * feats), "inv_stddev": ",".join(["1"] * feats), "comment": "tiny",
        },
    )  # fmt: skip
    return folder


def zipformer(folder: Path, *, loud=-13.5, names=("<blk>", LOW, MIDDLE, HIGH)) -> Path:
    """A streaming Zipformer transducer: a symbol when a tone begins, and none while it goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens(folder, *names)
    layer = [(2, 1, 1), (1, 1, 2, 3), (2, 1, 1), (2, 1, 1), (1, 4, 1), (1, 4, 1)]
    shapes = [*layer, (1, 128, 3, 19)]
    states = [*((f"s{i}", FLOAT, shape) for i, shape in enumerate(shapes)), ("s7", INT64, (1,))]
    write(
        folder / "encoder.onnx",
        [
            node("Slice", ["x", "first", "last", "axis"], ["chunk"]),
            node("Reshape", ["chunk", "four"], ["fours"]),
            node("MatMul", ["fours", "bands"], ["levels"]),
            node("Add", ["levels", "silent"], ["encoder_out"]),
            *(node("Identity", [name], [f"new_{name}"]) for name, _, _ in states),
        ],
        {
            "first": np.int64([0]), "last": np.int64([32]), "axis": np.int64([1]), "four": np.int64([1, 8, 320]),
            "bands": np.roll(bands(4, 4), 1, axis=1), "silent": np.float32([loud, 0, 0, 0]),
        },
        [value("x", FLOAT, 1, 45, MELS), *(value(name, kind, *shape) for name, kind, shape in states)],
        [
            value("encoder_out", FLOAT, 1, 8, 4),
            *(value(f"new_{name}", kind, *shape) for name, kind, shape in states),
        ],
        {
            "model_type": "zipformer2", "encoder_dims": 4, "query_head_dims": 1, "value_head_dims": 1, "num_heads": 1,
            "num_encoder_layers": 1, "cnn_module_kernels": 3, "left_context_len": 2, "T": 45, "decode_chunk_len": 32,
        },
    )  # fmt: skip
    once = np.zeros((4, 4), np.float32)
    once[range(1, 4), range(1, 4)] = -100  # the symbol that was just given is not given again
    write(
        folder / "decoder.onnx",
        [
            node("Gather", ["y", "newest"], ["latest"], axis=1),
            node("Gather", ["once", "latest"], ["decoder_out"], axis=0),
        ],
        {"newest": np.array(1, np.int64), "once": once},
        [value("y", INT64, "N", 2)],
        [value("decoder_out", FLOAT, "N", 4)],
        {"vocab_size": len(names), "context_size": 2},
    )
    write(
        folder / "joiner.onnx",
        [node("Add", ["encoder_out", "decoder_out"], ["logit"])],
        {},
        [value("encoder_out", FLOAT, "N", 4), value("decoder_out", FLOAT, "N", 4)],
        [value("logit", FLOAT, "N", 4)],
        {"joiner_dim": 4},
    )
    return folder


MODELS = {"streaming-paraformer": paraformer, "streaming-zipformer": zipformer, "sense-voice": sense_voice}
