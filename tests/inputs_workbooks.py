"""Templates of inputs as workbooks with some cells written over, read as a user's would be."""

import io
from functools import cache

import openpyxl
import pytest

from scenarios.errors import InputsError
from scoring.inputs import load_inputs
from scoring.inputs.template_workbook import template_xlsx
from scoring.scheme import load_scheme

load_once = cache(load_scheme)
BANK, COMPLAINTS = load_once("CMM-525-0005"), load_once("CTS-TBSC97-2026")
TEMPLATES = {scheme.id: template_xlsx(scheme) for scheme in (BANK, COMPLAINTS)}


def book_of(scheme=BANK, cells=()):
    """The template with cells written over: {"得分!C6": 0.912, "得分!D6": (82, "0%")}."""
    book = openpyxl.load_workbook(io.BytesIO(TEMPLATES[scheme.id]))
    for name, value in dict(cells).items():
        sheet, _, cell = name.partition("!")
        if sheet not in book.sheetnames:
            book.create_sheet(sheet)
        if isinstance(value, tuple):
            value, book[sheet][cell].number_format = value
        book[sheet][cell].value = value
    return book


def load(tmp_path, cells, scheme=BANK):
    path = tmp_path / "inputs.xlsx"
    book_of(scheme, cells).save(path)
    return load_inputs(path, scheme).inputs


def refusal(tmp_path, cells, scheme=BANK):
    with pytest.raises(InputsError) as wrong:
        load(tmp_path, cells, scheme)
    assert wrong.value.exit_code == 2
    return str(wrong.value).removeprefix(f"{tmp_path / 'inputs.xlsx'}: ")
