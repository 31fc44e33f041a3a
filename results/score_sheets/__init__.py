"""The score sheets (打分表) of a scorecard as a workbook whose formulas stay live (domain 6.1, items 1, 2 and 8)."""

from __future__ import annotations

from pathlib import Path

from results.score_sheets import about, application, certification, checks, occasions, table_page, totals
from results.score_sheets.tables import tables
from results.score_sheets.workbook import Book
from results.whole_file import write
from scoring.scheme import Scheme
from scoring.scorecard import Scorecard

__all__ = ["score_sheets", "write_score_sheets"]


def write_score_sheets(card: Scorecard, scheme: Scheme, path: Path) -> Path:
    """Writes the workbook and returns its path.

    Raises:
        FolderUnwritable: the file cannot be written.
    """
    return write(path, score_sheets(card, scheme))


def score_sheets(card: Scorecard, scheme: Scheme) -> bytes:
    """Returns the workbook (.xlsx): the same bytes for the same scorecard.

    说明, a sheet for each table of annex D (or each occasion, and their means), 汇总, and A.4, the level of the
    certification, requirements without a weight and service characteristics where the scheme has them.
    """
    book = Book(f"{card.scheme} {card.edition}　{card.organisation or ''}", f"{card.title.zh} 打分表", card.today)
    about.write(book, card, scheme)
    if scheme.composite.method == "occasions":
        means = occasions.write(book, card, scheme)
        total = totals.write(book, card, scheme, means.places, means.total)
        certification.write(book, card, scheme, total)
    else:
        places: dict[str, table_page.Place] = {}
        for table in tables(card, scheme):
            places |= table_page.write(book, table)
        totals.write(book, card, scheme, places, None)
    application.write(book, card, scheme)
    checks.write(book, card, scheme)
    return book.to_bytes()
