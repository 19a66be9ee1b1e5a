"""Parquet files, read without the cache of `datasets`, which takes a file for the one it knows by name and time."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from bench.data.columns import Rules, check_label_names, check_names, declared_labels, numbered, table_of_arrow
from bench.errors import UserError


def read_parquet(content: bytes, file: Path, rules: Rules) -> pa.Table:
    """The columns that `rules` asks for.

    Raises:
        UserError: a damaged file, a column that is missing, another label set, a value that is not as its rule says.
    """
    try:
        parquet = pa.parquet.ParquetFile(pa.BufferReader(content))
        schema = parquet.schema_arrow
        check_names(schema.names, rules, str(file))
        table = parquet.read(columns=list(rules))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last for names of columns
        raise UserError(f"{file} is damaged: {(str(error).splitlines() or ['?'])[0]}; copy it again") from error
    declared = declared_labels(schema.metadata)
    check_label_names(declared, rules, str(file))
    return table_of_arrow(table, numbered(rules, declared, str(file)), lambda row: f"{file}, row {row + 1}")


def names_of(content: bytes, file: Path) -> list[str]:
    """The columns of a file.

    Raises:
        UserError: a damaged file.
    """
    try:
        return list(pa.parquet.ParquetFile(pa.BufferReader(content)).schema_arrow.names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is damaged: {(str(error).splitlines() or ['?'])[0]}; copy it again") from error
