"""`bench reference`: a figure of the paper, entered to be shown beside ours."""

from collections.abc import Sequence

from bench.cli.arguments import config_dir_and_rest, own_settings
from bench.errors import UserError
from bench.system.terminal import say


def reference(arguments: Sequence[str]) -> int:
    """Enter a figure of the paper, to be shown beside ours."""
    from bench.tables.content.reference import reference_keys, set_reference

    if not arguments or arguments[0] != "set":
        raise UserError(
            "say what to enter: bench reference set table=III row=lora model=roberta-base column=cola value=…"
        )
    config_dir, rest = config_dir_and_rest(arguments[1:])
    entered = set_reference(own_settings("reference", rest, reference_keys(config_dir)), config_dir=config_dir)
    say(" ".join(f"{key}={value}" for key, value in entered.items()))
    return 0
