"""``shopper speak``: the lines of the scripts, spoken by a person or as synthetic drafts."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from scenarios.errors import FolderUnwritable, InputError
from scenarios.model import Lang, Text

if TYPE_CHECKING:
    from probes.speaking.lines import SpokenLine, Standing
    from probes.target_file import LoadedTarget

app = typer.Typer(no_args_is_help=True, help="Our own voice: record, import, draft and list the lines of the scripts.")

TargetOption = Annotated[Path, typer.Option("--target", help="target.yaml; its key recordings names the folder")]
ScenarioOption = Annotated[str, typer.Option("--scenario", help="id of the script")]
LineOption = Annotated[str, typer.Option("--line", help="name of the line: an ask's id, to-human or farewell")]
ScenariosOption = Annotated[Path | None, typer.Option("--scenarios", help="folder of your own scripts")]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="overwrite the recording that is there")]
SpeakerOption = Annotated[str, typer.Option("--speaker", help="who speaks: a name or a number, for the sidecar")]
LangOption = Annotated[str, typer.Option("--lang", help="zh or en: language of what is printed", metavar="zh|en")]
JsonOption = Annotated[bool, typer.Option("--json", help="print one JSON document on stdout")]

STATES = {
    "recorded": (Text(zh="已录", en="recorded"), "green"),
    "imported": (Text(zh="已导入", en="imported"), "green"),
    "unmarked": (Text(zh="已录（无附注）", en="recorded (no sidecar)"), "green"),
    "draft": (Text(zh="草稿（合成）", en="draft (synthetic)"), "yellow"),
    "missing": (Text(zh="缺", en="missing"), "red"),
    "refused": (Text(zh="不可用", en="refused"), "bold red"),
}
HEADINGS = (
    Text(zh="脚本", en="scenario"),
    Text(zh="语句", en="line"),
    Text(zh="文字", en="text"),
    Text(zh="状态", en="state"),
    Text(zh="电平 dBov", en="level dBov"),
    Text(zh="秒", en="seconds"),
)
CONSENT = Text(
    zh="草稿和缺的语句由合成语音说：对真实机构须有授权书中的 tts_consent。",
    en="Drafts and missing lines are a synthetic voice: a real centre must have signed tts_consent.",
)


@app.command()
def render(
    target: TargetOption,
    scenario: Annotated[str | None, typer.Option("--scenario", help="id of one script; none: all")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="another folder than the target's recordings")] = None,
    scenarios: ScenariosOption = None,
) -> None:
    """Have a synthetic voice speak every line, as drafts; recordings are not touched."""
    from probes.speaking.lines import render_draft

    loaded = _load(target)
    folder = out if out is not None else _folder(loaded)
    lines = _lines(loaded, scenario, scenarios)
    for spoken in lines:
        try:
            typer.echo(str(render_draft(spoken, loaded.target, folder)))
        except OSError as error:
            raise _unwritable(folder, error) from error
    typer.echo(f"草稿 {len(lines)} 句 / {len(lines)} drafts. {CONSENT.zh} {CONSENT.en}", err=True)


@app.command("import")
def bring_in(
    file: Annotated[Path, typer.Argument(help="WAV, PCM of 16, 24 or 32 bit or float, 8 to 48 kHz, mono or stereo")],
    scenario: ScenarioOption,
    line: LineOption,
    target: TargetOption,
    scenarios: ScenariosOption = None,
    speaker: SpeakerOption = "person",
    replace: ReplaceOption = False,
) -> None:
    """Bring in a line that a person has spoken: trimmed, at telephone rate and level."""
    loaded = _load(target)
    spoken, place = _place(loaded, scenario, line, scenarios, replace)
    _take(file, spoken, place, speaker, "imported")


@app.command()
def record(
    scenario: ScenarioOption,
    line: LineOption,
    target: TargetOption,
    scenarios: ScenariosOption = None,
    speaker: SpeakerOption = "person",
    replace: ReplaceOption = False,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=60, help="the longest; Enter ends it before")] = 20,
    device: Annotated[str | None, typer.Option("--device", help="ALSA's name of the microphone")] = None,
) -> None:
    """Record a line from the microphone."""
    from probes.speaking import microphone

    loaded = _load(target)
    spoken, place = _place(loaded, scenario, line, scenarios, replace)
    microphone.arecord()
    typer.echo(f"请说 / please say: {' / '.join(spoken.texts)}", err=True)
    typer.echo("按回车结束 / Enter ends it", err=True)
    with tempfile.TemporaryDirectory(prefix="speak-") as folder:
        wav = Path(folder) / f"{spoken.line}.wav"
        microphone.record(wav, seconds, device=device)
        _take(wav, spoken, place, speaker, "recorded")


@app.command("list")
def list_lines(
    target: TargetOption,
    scenario: Annotated[str | None, typer.Option("--scenario", help="id of one script; none: all")] = None,
    scenarios: ScenariosOption = None,
    lang: LangOption = "zh",
    as_json: JsonOption = False,
) -> None:
    """List every line: its text, how it stands, level and length. Ends with 1 if one of them is refused."""
    from probes.speaking.lines import standing

    words = _lang(lang)
    loaded = _load(target)
    folder = _folder(loaded)
    rows = [standing(spoken, folder) for spoken in _lines(loaded, scenario, scenarios)]
    if as_json:
        typer.echo(json.dumps({"format": 1, "lines": [_row(row) for row in rows]}, ensure_ascii=False))
    else:
        _table(rows, words)
    for row in rows:
        if row.why is not None:
            typer.echo(row.why, err=True)
    raise typer.Exit(1 if any(row.state == "refused" for row in rows) else 0)


def _take(file: Path, spoken: SpokenLine, place: Path, speaker: str, source: str) -> None:
    from probes.hearing.wav import RATE
    from probes.speaking import provenance
    from probes.speaking.intake import prepare
    from probes.speaking.level import active_level

    pcm = prepare(file)
    if provenance.is_draft(file) or _says_draft(file):
        raise InputError("this is a synthetic draft", file=file, cure="have a person speak the line; a draft stays one")
    try:
        kind: provenance.Source = "recorded" if source == "recorded" else "imported"
        provenance.write(place, pcm, text=spoken.texts, voice=speaker, source=kind)
    except OSError as error:
        raise _unwritable(place, error) from error
    typer.echo(f"{place}: {len(pcm) / RATE:.1f} s, {active_level(pcm):.1f} dBov")
    if len(spoken.texts) > 1:
        typer.echo(f"此录音用于全部说法 / it stands for every wording: {' / '.join(spoken.texts)}", err=True)


def _says_draft(file: Path) -> bool:
    """Says whether a sidecar beside ``file`` calls it a draft; what is no sidecar of ours does not count."""
    from probes.speaking import provenance

    try:
        sidecar = provenance.read_sidecar(file)
    except InputError:
        return False
    return sidecar is not None and sidecar.source == "draft"


def _load(path: Path) -> LoadedTarget:
    from probes.target_file import load_target

    return load_target(path)


def _folder(loaded: LoadedTarget) -> Path:
    """Returns the target's folder of recordings.

    Raises:
        InputError: the target names none, so that no call would play what is put there.
    """
    if loaded.target.recordings is None:
        raise InputError(
            "this target names no folder of recordings",
            file=loaded.path,
            cure="make a folder beside it and add, for example, recordings: recordings",
        )
    return loaded.folder / loaded.target.recordings


def _lines(loaded: LoadedTarget, scenario: str | None, folder: Path | None) -> list[SpokenLine]:
    """Returns the lines of one script, or of all: those that ship, and those of the user's folder before them.

    Raises:
        InputError: nothing is spoken.
    """
    from probes.speaking.lines import spoken_lines
    from scenarios import catalogue

    if scenario is not None:
        names = [scenario]
    else:
        own = [] if folder is None else [path.stem for path in folder.glob("*.yaml")]
        names = sorted({*own, *(path.stem for path in catalogue.shipped())})
    scripts = [catalogue.load(name, folder).scenario for name in names]
    lines = [spoken for script in scripts for spoken in spoken_lines(script, loaded.target)]
    if not lines:
        raise InputError("nothing is spoken in this script", cure="name one with channels: [voice]")
    return lines


def _place(
    loaded: LoadedTarget, scenario: str, line: str, scenarios: Path | None, replace: bool
) -> tuple[SpokenLine, Path]:
    """Returns the line and where its recording goes.

    Raises:
        InputError: there is no such line, or it is recorded and --replace is not given.
    """
    from probes.speaking import lines, provenance

    folder = _folder(loaded)
    spoken = lines.find(_lines(loaded, scenario, scenarios), line)
    place = provenance.recorded_path(folder / spoken.scenario, spoken.line)
    if place.exists() and not replace:
        raise InputError("this line is recorded", file=place, cure="give --replace to overwrite it")
    return spoken, place


def _unwritable(place: Path, error: OSError) -> FolderUnwritable:
    return FolderUnwritable(f"{place}: cannot be written: {error.strerror or error} (see that its disk may be written)")


def _row(row: Standing) -> dict[str, object]:
    return {
        "scenario": row.spoken.scenario,
        "line": row.spoken.line,
        "text": list(row.spoken.texts),
        "state": row.state,
        "file": str(row.path),
        "level_dbov": None if row.level is None else round(row.level, 1),
        "seconds": None if row.seconds is None else round(row.seconds, 2),
        "why": row.why,
    }


def _table(rows: list[Standing], lang: Lang) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False)
    for number, heading in enumerate(HEADINGS):
        right, whole = number > 3, number != 2
        table.add_column(heading.in_(lang), justify="right" if right else "left", no_wrap=whole, overflow="fold")
    for row in rows:
        words, style = STATES[row.state]
        table.add_row(
            row.spoken.scenario,
            row.spoken.line,
            escape(" / ".join(row.spoken.texts)),
            f"[{style}]{words.in_(lang)}[/]",
            "" if row.level is None else f"{row.level:.1f}",
            "" if row.seconds is None else f"{row.seconds:.1f}",
        )
    console = Console()
    console.print(table)
    if any(row.state in ("draft", "missing") for row in rows):
        console.print(CONSENT.in_(lang))


def _lang(value: str) -> Lang:
    if value not in ("zh", "en"):
        raise InputError(f"--lang {value} is not a language of this tool", cure="zh or en")
    return "zh" if value == "zh" else "en"
