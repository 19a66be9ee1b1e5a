"""Files of delimited text (CSV, TSV): a header, then a row of as many fields. Read by Python's own csv module."""

import csv
import io
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.data.columns import Lines
from bench.errors import UserError

SUFFIXES = {".csv": ",", ".tsv": "\t"}
BYTE_ORDER_MARK = "\ufeff"
SHOWN = 30  # characters of a name that two columns have


@dataclass(frozen=True)
class Dialect:
    """How the fields of a row are told apart.

    Attributes:
        delimiter: one character.
        quotes: whether a field may stand in double quotes, with the delimiter, line ends and doubled quotes in it.
    """

    delimiter: str
    quotes: bool

    @classmethod
    def of(cls, file: Path, delimiter: str | None, quotes: bool | None) -> "Dialect":
        """What is said of it, else what the file's name says: fields of a CSV file may be quoted, of a TSV not."""
        return cls(
            delimiter if delimiter is not None else SUFFIXES.get(file.suffix, ","),
            quotes if quotes is not None else file.suffix != ".tsv",
        )


def read_delimited(content: bytes, file: Path, columns: Collection[str] | None, dialect: Dialect) -> Lines:
    """The rows of a file; only `columns` (None: all) are kept of them, as text. Blank lines are none.

    Raises:
        UserError: no UTF-8, a row with more or fewer fields than the header, or a quote that is not closed; with file
            and line.
    """
    rows = _rows(_text(content, file), file, dialect)
    _, header = next(rows, (0, []))
    numbers: list[int] = []
    wanted = header if columns is None else columns
    positions = {column: header.index(column) for column in wanted if column in header}
    values: dict[str, list[Any]] = {column: [] for column in positions}
    for number, row in rows:
        if len(row) != len(header):
            raise UserError(
                f"{file}, row {number}: {len(row)} fields, the header has {len(header)}; a field with "
                f"{dialect.delimiter!r} in it has to stand in quotes"
            )
        numbers.append(number)
        for column, position in positions.items():
            values[column].append(row[position])
    return Lines(header, numbers, values)


def _text(content: bytes, file: Path) -> str:
    try:
        return content.decode().removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{file}, row {row}: not UTF-8: {error.reason} at byte {error.start}; save it as UTF-8"
        ) from error


def _rows(text: str, file: Path, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, and the line that it begins in."""
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.delimiter,
        quoting=csv.QUOTE_MINIMAL if dialect.quotes else csv.QUOTE_NONE,
        strict=True,
    )
    begin = 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise UserError(f"{file}, row {begin}: {error}; is a quote not closed?") from error
        if row is None:
            return
        if any(field.strip() for field in row):
            yield begin, row
        begin = reader.line_num + 1
