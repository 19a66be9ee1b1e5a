"""How a record ended, without reading all of it: a sweep looks at ten thousand before it starts."""

from pathlib import Path

from bench.errors import UserError
from bench.records.schema import SCHEMA_VERSION, Status
from bench.records.store import FILE, read_record

# In JSON as the store writes it a line break is never inside a string, so a line that begins like a key at its depth is
# that key; the schema's version is the last one, so that a file that was cut off does not have it.
STATUS = b'\n "status": "'
END = f'\n "schema_version": {SCHEMA_VERSION}\n}}'.encode()
STATUSES = {status.value.encode(): status for status in Status}


def status_of(folder: Path) -> Status | None:
    """How the cell in `folder` ended; None: it has no record.

    Raises:
        UserError: the folder cannot be read.
        RecordError: there is a record that is damaged, or of a newer schema.
    """
    try:
        content = (folder / FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"cannot read {folder / FILE}: {error.strerror}") from error
    if content.endswith(END):
        begin = content.find(STATUS) + len(STATUS)
        status = STATUSES.get(content[begin : content.find(b'"', begin)])
        if begin >= len(STATUS) and status is not None:
            return status
    return read_record(folder / FILE).status  # of another schema, laid out in another way, or damaged
