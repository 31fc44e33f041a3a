"""Inputs with something in every field of a scheme, and the same in a filled-in YAML file or workbook."""

import json
import re
from datetime import date
from fractions import Fraction

from openpyxl.utils import get_column_letter

from scoring.inputs import sheets as layout
from scoring.inputs import words
from scoring.inputs.template import template_yaml
from scoring.inputs.template_workbook import template_workbook

SAMPLES = {"share": "0.912", "seconds": "6.2", "count": "9", "per_week": "320", "per_year": "1.5", "points": "82.5"}
EVIDENCE = {"file": "acd.csv", "by": "r1", "at": "2026-11-20", "note": "第三季度，见附件"}


def everything(scheme):
    """One of everything that can be said of a scheme, as plain data."""
    data = {
        "format": 1,
        "scheme": scheme.id,
        "organisation": "甲银行",
        "period": {
            "system": {"first": "2026-08-01", "last": "2026-10-31"},
            "probe": {"first": "2026-11-02", "last": "2026-11-13"},
        },
        "requirements": {
            one.id: {"met": False, "by": "r2"} if place % 3 == 0 else {"value": SAMPLES[one.unit], **EVIDENCE}
            for place, one in enumerate(scheme.requirements)
        },
        "checks": {one.id: {"met": place % 2 == 0, **EVIDENCE} for place, one in enumerate(scheme.checks)},
        "application": {row.name.zh: {"target": "0.9", "actual": "0.875"} for row in scheme.application},
        "readings": readings(scheme),
    }
    if scheme.maturity:
        data["maturity"] = {item.id: place % 5 + 1 for place, item in enumerate(scheme.maturity.items)}
        data["reasons"] = {item.id: f"见记录{item.id}" for item in scheme.maturity.items}
    if scheme.stars:
        data["gate"] = "passed"
    if scheme.composite.method == "occasions":
        *ids, last = (indicator.id for _, indicator in scheme.indicators())
        alpha = dict.fromkeys(ids, "0.85") | {ids[0]: "符合预期"}
        data["occasions"] = [{"id": "o1", "rater": "r1", "at": "2026-11-20", "alpha": alpha}]
        data["waived"] = [{"item": last, "reason": "无实体场所", "by": "组长"}]
    else:
        for block, boost in (("indicators", False), ("boost", True)):
            found = [indicator for dimension, indicator in scheme.indicators() if dimension.boost == boost]
            data[block] = {one.id: given(one, scheme, place) for place, one in enumerate(found)}
    return {key: value for key, value in data.items() if value not in ({}, [])}


def given(indicator, scheme, place):
    """One entry: values with an interval and months, or scores; factors, points and quantities where there are any."""
    said = {"source": list(layout.SOURCES)[place % 5], **EVIDENCE}
    if indicator.unit is not None and place % 4 != 3:
        value = Fraction(SAMPLES[indicator.unit])
        said |= {
            "value": str(float(value)),
            "n": 500,
            "low": str(float(value * Fraction(9, 10))),
            "high": str(float(value)),
        }
        said["months"] = {f"2026-{month:02d}": str(float(value * Fraction(month, 10))) for month in (8, 9, 10)}
    else:
        said["score"] = "82.5"
    if words.factors(indicator):
        said["factors"] = {
            factor.id: {
                route.id: {"2026-W30": "320", "2026-W53": "340"} if route.unit == "per_week" else SAMPLES[route.unit]
                for route in factor.routes
            }
            for factor in words.factors(indicator)
        }
    form = scheme.form(indicator.id)
    if form and form.total is not None:
        said["points"] = {item.name.zh: str(float(item.points / 2)) for item in form.items}
    quantities = [one for one in indicator.thresholds if one.of == "quantity"]
    if quantities:
        said["quantities"] = {one.quantity.zh: SAMPLES[one.unit] for one in quantities}
    return said


def readings(scheme):
    """Every switch of the scheme, away from its default where it can be."""
    ids = [indicator.id for _, indicator in scheme.indicators()]
    tables = {
        "score_policy": {ids[0]: "manual"},
        "dtable.override": {ids[-1]: {"甲": 6, "乙": 4}},
        "nc.severity_map": {ids[0]: "轻微"},
        "mapping.characteristics": {one.id: ids[0] for one in scheme.characteristics[:2]},
    }
    found = {}
    for key, (switch, _) in words.switches_of(scheme).items():
        choice = switch.choices[-1] if switch.choices else None
        of_kind = {"choice": choice, "flag": not switch.default, "number": 2, "text": "甲", "table": tables.get(key)}
        found[key] = int(choice) if choice and choice.isdigit() else of_kind[switch.kind]
    return found


def leaves(data, path=()):
    """Yields every value of nested mappings and lists with its path."""
    if isinstance(data, (dict, list)):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from leaves(value, (*path, key))
    else:
        yield path, data


def as_yaml(data):
    """JSON is YAML. Numbers that stand as text here are written plainly."""
    return re.sub(r'"(-?[0-9]+(?:\.[0-9]+)?)"(?!:)', r"\1", json.dumps(data, ensure_ascii=False, indent=1))


def filled_yaml(scheme, data):
    """The template with the data written after its colons. Says what found no place."""
    places = dict(leaves(data))
    whole = dict(mappings(data))
    lines, stack = [], []
    for line in template_yaml(scheme).splitlines():
        match = re.match(r'^( *)(- )?"?([^"#{}]+?)"?:( +\{.*\})?( +#.*)?$', line)
        if match is None or line.lstrip().startswith("#"):
            lines.append(line)
            flow = re.match(r"^( *)- (\{.*\})$", line)
            if flow:
                lines[-1] = f"{flow[1]}- {_flow(flow[2], (stack[-1][1], 0), places)}"
            continue
        indent = len(match[1]) + (2 if match[2] else 0)
        while stack and stack[-1][0] >= indent:
            stack.pop()
        if match[2] or (stack and stack[-1][1] == "occasions" and indent == 4):
            stack.append((3, 0))
        path = (*(key for _, key in stack), match[3])
        stack.append((indent, match[3]))
        head, comment = line[: line.index(":", match.end(3)) + 1], match[5] or ""
        if match[4]:
            lines.append(f"{head} {_flow(match[4].strip(), path, places)}{comment}")
        elif path in places:
            lines.append(f"{head} {_scalar(places.pop(path))}{comment}")
        elif path in whole and not _has_rows(path, scheme):
            for leaf in [leaf for leaf in places if leaf[: len(path)] == path]:
                places.pop(leaf)
            lines.append(f"{head} {json.dumps(whole[path], ensure_ascii=False)}{comment}")
        else:
            lines.append(line)
    assert not [path for path in places if path not in (("format",), ("scheme",))], places
    return "\n".join(lines) + "\n"


def mappings(data, path=()):
    """Yields every mapping inside with its path."""
    if isinstance(data, (dict, list)):
        if isinstance(data, dict):
            yield path, data
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from mappings(value, (*path, key))


def _has_rows(path, scheme):
    """Whether the template lists what stands below a key."""
    open_ended = path[-1] == "months" or (path[0] == "readings" and len(path) == 2)
    return not (open_ended or (len(path) == 5 and path[2] == "factors"))


def _flow(text, path, places):
    def fill(match):
        at = (*path, match[1])
        return f"{match[1]}: {_scalar(places.pop(at))}{match[2]}" if at in places else match[0]

    return re.sub(r"(\w+): (,| ?\})", fill, text)


def _scalar(value):
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return value
    return json.dumps(value, ensure_ascii=False)


def filled_workbook(scheme, data):
    """The template with the data written into its cells. Says what found no place."""
    book = template_workbook(scheme)
    places = dict(leaves(data))
    for zh, (_, kind, path) in layout.GENERAL_ROWS.items():
        row = next(row for row in book[layout.GENERAL].iter_rows(min_row=2) if str(row[0].value).split()[0] == zh)
        if path in places:
            row[1].value = cell_value(places.pop(path), kind)
    for table in layout.TABLES:
        if table.name in book.sheetnames:
            _fill_table(book[table.name], table, scheme, places)
    if layout.MONTHS in book.sheetnames:
        _fill_months(book[layout.MONTHS], places)
    if layout.OCCASIONS in book.sheetnames:
        _fill_occasions(book[layout.OCCASIONS], places)
    assert not places, places
    return book


def cell_value(value, kind):
    """A value as a spreadsheet holds it."""
    if kind == "date":
        return date.fromisoformat(value)
    if kind in ("number", "score"):
        return float(value)
    words_of = {"met": layout.METS, "source": layout.SOURCES, "gate": layout.GATES}.get(kind)
    return words_of[value] if words_of else value


def _fill_table(sheet, table, scheme, places):
    columns = {column.name: at for at, column in enumerate(table.columns, 1)}
    for path in list(places):
        found = _keys_of(table, scheme, path, places)
        if found is None:
            continue
        keys, column = found
        row = _row_of(sheet, table, columns, keys)
        for key, name in zip(table.keys, keys, strict=False):
            sheet.cell(row, columns[key.name], name)
        sheet.cell(row, columns[column.name], cell_value(places.pop(path), column.kind))
    if table is layout.WAIVED:
        for path in [path for path in places if path[0] == "waived" and path[2] == "item"]:
            places.pop(path)


def _keys_of(table, scheme, path, places):
    """The keys of the row and the column that hold a path, or None if it is not of this sheet."""
    if table is layout.WAIVED and path[0] == "waived" and path[2] != "item":
        keys = (places[("waived", path[1], "item")],)
        return keys, next(column for column in table.fields if column.name == path[2])
    for column in table.fields:
        for keys in (path[1:2], path[1:], (path[1], *path[3:]) if len(path) > 3 else ()):
            if keys and len(keys) <= len(table.keys) and table.path(scheme, keys, column.name) == path:
                return keys, column
    return None


def _row_of(sheet, table, columns, keys):
    """The row of those keys; of several (weeks), the one that has them all or the first without the last ones."""
    needed = [column for column in table.keys if not column.optional]
    for exact in (True, False):
        for row in range(2, sheet.max_row + 1):
            here = [sheet.cell(row, columns[column.name]).value for column in table.keys]
            want = [*keys, *[None] * (len(here) - len(keys))]
            if here == want or (not exact and here == [*keys[: len(needed)], *[None] * (len(here) - len(needed))]):
                return row
    return sheet.max_row + 1


def _fill_months(sheet, places):
    months = sorted({path[3] for path in places if len(path) > 3 and path[2] == "months"})
    for at, month in enumerate(months, layout.MONTHS_FROM):
        sheet.cell(1, at, month)
        for row in range(2, sheet.max_row + 1):
            for block in ("indicators", "boost"):
                value = places.pop((block, sheet.cell(row, 1).value, "months", month), None)
                if value is not None:
                    sheet.cell(row, at, float(value))


def _fill_occasions(sheet, places):
    rows = {str(row[0].value).split()[0]: row[0].row for row in sheet.iter_rows()}
    for path in [path for path in places if path[0] == "occasions"]:
        value, column = places.pop(path), layout.OCCASIONS_FROM + path[1]
        if path[2] == "alpha":
            number = re.fullmatch(r"[0-9.]+", value)
            sheet.cell(rows[path[3]], column, float(value) if number else value)
        else:
            word, kind = next((word, kind) for word, (_, kind, key) in layout.OCCASION_ROWS.items() if key == path[2])
            sheet.cell(rows[word], column, cell_value(value, kind))


def cell_of(book, sheet, id_, heading):
    """The name of a cell by its row's first key and its column's heading, without the sheet."""
    found = book[sheet]
    column = next(cell.column for cell in found[1] if cell.value and str(cell.value).split()[0] == heading)
    row = next(row[0].row for row in found.iter_rows() if row[0].value == id_)
    return f"{get_column_letter(column)}{row}"
