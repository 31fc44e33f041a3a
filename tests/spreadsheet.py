"""A workbook as another program sees it: openpyxl reads it, the engine ``formulas`` computes it; neither knows ours."""

import re

import formulas
import openpyxl

SHARED = 1e-9  # how far two programs' binary fractions may lie apart


class Sheets:
    """A workbook on disk: ``saved`` holds the results that the file carries, ``computed`` finds them with an engine."""

    def __init__(self, path):
        self.path = path
        self.book = openpyxl.load_workbook(path)
        self._saved = self._found = self._loaded = None

    @property
    def saved(self):
        self._saved = self._saved or openpyxl.load_workbook(self.path, data_only=True)
        return self._saved

    def __getitem__(self, name):
        return self.book[name]

    def rows(self, name):
        """The rows of a sheet as their cells' saved values."""
        return [[cell.value for cell in row] for row in self.saved[name].iter_rows()]

    def formulas(self):
        """(sheet, cell) of every formula."""
        return [
            (sheet.title, cell.coordinate)
            for sheet in self.book
            for row in sheet.iter_rows()
            for cell in row
            if cell.data_type == "f"
        ]

    def changed(self, path, **cells):
        """The same workbook after somebody typed into it: ``{"sheet!D4": 12}``; it forgets all results."""
        book = openpyxl.load_workbook(self.path)
        for place, value in cells.items():
            sheet, cell = place.rsplit("!", 1)
            book[sheet][cell] = value
        book.save(path)
        return Sheets(path)

    def computed(self, sheet, cell):
        if self._found is None:
            self._found = {}
            for key, value in self._model().calculate().items():
                named = re.fullmatch(r"'\[[^\]]*\](.*)'!([A-Z]+[0-9]+)", str(key))
                if named and getattr(value, "value", None) is not None:
                    self._found[named[1].upper(), named[2]] = value.value[0, 0]
        return tidy(self._found[sheet.upper(), cell])

    def _model(self):
        self._loaded = self._loaded or formulas.ExcelModel().loads(str(self.path)).finish()
        return self._loaded

    def function(self, sheet, given, wanted):
        """The workbook as a function from the cells ``given`` to those ``wanted``, all of one sheet."""
        name = f"'[{self.path.name}]{sheet.upper()}'!"
        found = self._model().compile(inputs=[name + one for one in given], outputs=[name + one for one in wanted])

        def call(*values):
            said = found(*values)
            return [tidy(one.value[0, 0]) for one in (said if len(wanted) > 1 else [said])]

        return call


def tidy(value):
    """An empty text is nothing, as in the file."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, str) and not value else value


def same(one, two):
    if isinstance(one, (int, float)) and isinstance(two, (int, float)):
        return abs(one - two) < SHARED
    return (one or None) == (two or None) if isinstance(one, str) or isinstance(two, str) else one == two
