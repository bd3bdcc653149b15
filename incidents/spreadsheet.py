"""The export as CSV, for people with a spreadsheet: one incident a row, and no cell that the spreadsheet would run.

Attackers write names and tags. A cell that begins as a formula gets an apostrophe before it, as spreadsheets do it
themselves for text (threat M2); JSON Lines have every text as it was sent.
"""

import csv
import io
import json
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final

COLUMNS: Final = (
    *("tenant_id", "incident_id", "last_update_time", "status", "severity", "name", "assigned_to", "classification"),
    *("determination", "redirect_incident_id", "tags", "alerts", "quarantined"),
)
_FORMULA: Final = frozenset("=+-@")


def heading(columns: Sequence[str] = COLUMNS) -> str:
    """The first row."""
    return _row(columns)


def row_of(line: str, columns: Sequence[str] = COLUMNS) -> str:
    """A line of ``export.lines_of`` as a row, without what Microsoft sent; RFC 4180, every cell quoted."""
    fields = json.loads(line)
    fields["tags"] = "; ".join(fields["tags"])
    fields["alerts"] = "; ".join(alert["alert_id"] for alert in fields["alerts"])
    return _row([fields.get(name) for name in columns])


def harmless(value: Any) -> str:
    """The cell's text; an apostrophe before what a spreadsheet could take for a formula, however it hides."""
    text = "" if value is None else str(value)
    return f"'{text}" if _may_be_formula(text) else text


def _may_be_formula(text: str) -> bool:
    if text[:1] in {"\t", "\r", "\n"}:
        return True
    for character in text:
        # Full-width signs are formulas for some programs; blanks and invisible characters before one are skipped.
        plain = unicodedata.normalize("NFKC", character)
        if plain in _FORMULA:
            return True
        if plain.strip() and unicodedata.category(character) not in {"Cc", "Cf"} and character not in "\"'":
            return False
    return False


def _row(cells: Iterable[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="").writerow([harmless(cell) for cell in cells])
    return out.getvalue()
