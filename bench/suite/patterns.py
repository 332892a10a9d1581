"""The form of texts in a suite file, as regular expressions and in words."""

from __future__ import annotations

_PART = r"[A-Za-z0-9][A-Za-z0-9_.-]*"  # neither "." nor "..": `store.file_name` makes file names out of ids
_ID = rf"{_PART}(/{_PART})*"
_QUANTITY = rf"{_ID}(@{_ID})?:[A-Za-z0-9_]+"  # "method:measure", or "method@experiment:measure" of another experiment
ID, QUANTITY, TEXT, HASH = rf"^{_ID}$", rf"^{_QUANTITY}$", r"\S", "^[0-9a-f]{64}$"
CODE_PLACE = r"^[\w.-]+/[\w.-]+@[0-9a-f]{7,40}:\S+"  # a remark may follow

IN_WORDS = {
    ID: "parts of letters, digits, '_', '.' and '-', each with a letter or digit first, and '/' between parts",
    QUANTITY: "METHOD:MEASURE, or METHOD@EXPERIMENT:MEASURE",
    TEXT: "some text",
    HASH: "64 characters of 0-9 and a-f",
    CODE_PLACE: "OWNER/NAME@COMMIT:PATH:LINE, with 7 to 40 characters of the commit",
}
