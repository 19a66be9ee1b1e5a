"""What a cell has trained, written for use elsewhere: peft's files, a transformers model, or the method's own."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UserError, unknown_name
from bench.methods.base import Method
from bench.models.tokenizer import load_tokenizer, padding_token
from bench.records.trained import FILES, Trained, write_trained
from bench.running.model_card import CARD, card_of
from bench.running.trained import TrainedCell, assemble
from bench.system.plain_files import why

RECORD = "record.json"


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        form: "peft", "merged" or "state".
        folder: where.
        files: paths below it.
    """

    form: str
    folder: Path
    files: tuple[str, ...]


def export(found: TrainedCell, path: Path, out: str | Path, form: str | None = None, command: str = "") -> Export:
    """Write what a cell has trained, and a model card beside it.

    Args:
        found: the cell.
        path: of its record.
        out: a folder that is not there yet, or is empty.
        form: one of `FORMS`; None: the one that lies in `trained/`.
        command: that made it, for the card.

    Raises:
        UserError: the method does not allow the form, or it cannot be written there; nothing is left.
    """
    form = found.trained.form if form is None else form
    check_form(form, found.method, found.trained)
    folder = Path(out)
    check_free(folder)
    scratch = folder.parent / f".{folder.name}.part"
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        FORMS[form](found, path, scratch)
        (scratch / CARD).write_text(card_of(found, path, form, command), encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        scratch.rename(folder)
    except OSError as error:
        raise UserError(f"out={out}: cannot write there: {why(error)}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    return Export(form, folder, tuple(files))


def check_form(form: str, method: Method, trained: Trained) -> None:
    """Refuse a form that there is not of what a method has trained.

    Raises:
        UserError: with the reason.
    """
    if form not in FORMS:
        raise unknown_name("form", form, FORMS)
    if form == "peft" and trained.settings is None:
        raise UserError(f"form=peft cannot be had: {trained.reason}; form=state can")
    if form == "merged" and not method.mergeable:
        raise UserError(f"form=merged cannot be had: {method.why_not_mergeable()}")


def check_free(folder: Path) -> None:
    """Refuse a folder that holds something.

    Raises:
        UserError: it does, or it is none.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(f"out={folder} is there already, and is no folder")
    try:
        if folder.exists() and any(folder.iterdir()):
            raise UserError(f"out={folder} holds files already; name a folder that is empty or not there")
    except OSError as error:
        raise UserError(f"out={folder}: {why(error)}") from error


def _peft(found: TrainedCell, path: Path, folder: Path) -> None:
    assert found.trained.folder is not None, "it was read"
    for name in FILES["peft"]:
        shutil.copyfile(found.trained.folder / name, folder / name)


def _state(found: TrainedCell, path: Path, folder: Path) -> None:
    """Record and tensors, as `bench.load` reads them."""
    shutil.copyfile(path, folder / RECORD)
    own = found.trained
    if own.settings is not None:
        own = Trained(found.method.stored_state(assemble(found)), reason="form=state was asked for")
    write_trained(folder, own, True, found.record.cell.config_hash)


def _merged(found: TrainedCell, path: Path, folder: Path) -> None:
    """Model and tokenizer, as transformers' Auto classes read them."""
    model: Any = found.method.merge(assemble(found), found.setting)
    tokenizer, config, base = load_tokenizer(found.base.config), model.config, found.base
    vars(config).pop("quantization_config", None)  # it is not packed any more, and would be read as if it were
    if config.pad_token_id is None:  # by which transformers' heads find a text's last token
        rows = model.get_input_embeddings().weight.shape[0]
        config.pad_token_id = padding_token(tokenizer, config, base.config.family, rows)
    if base.structure.head and (labels := labels_of(found)):
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: index for index, label in enumerate(labels)}
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def labels_of(found: TrainedCell) -> list[str]:
    """What a task head's outputs are called; none where the task does not say."""
    labels = found.cell.config["task"].get("labels") or ()
    named = [str(label) for label in (labels.values() if isinstance(labels, dict) else labels)]
    return named if len(set(named)) == len(named) == getattr(found.base.architecture, "num_labels", 0) else []


FORMS: dict[str, Callable[[TrainedCell, Path, Path], None]] = {"peft": _peft, "merged": _merged, "state": _state}
