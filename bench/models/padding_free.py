"""Which decoders compute the same of texts one behind the other in a row as of each in a row of its own.

Position ids must reach what encodes positions, and what makes the masks; nothing may pass along the row but attention.
The types here were compared, loss and gradients, with padded batches: `tests/models/test_padding_free.py`. Others
are not offered, as nothing would be noticed where texts see each other: OPT makes its masks without positions, BLOOM
and Falcon with ALiBi take the distance in the row, Mamba's state passes from text to text.
"""

from transformers import PretrainedConfig

from bench.configuration.schema import Family
from bench.errors import UnsupportedError
from bench.models.auto_classes import has_task_head

KEPT_APART = frozenset({
    "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "olmo2", "smollm3", "granite", "phi",
    "phi3", "mixtral", "qwen3_moe", "gpt2", "gpt_neox",
})  # fmt: skip


def check_kept_apart(family: Family, architecture: PretrainedConfig) -> None:
    """Refuse a model for which texts in one row are not known to be kept apart.

    Raises:
        UnsupportedError: one line, which says why.
    """
    if family != Family.decoder:
        raise UnsupportedError(f"it is for decoders, and this model is an {family.replace('_', '-')}")
    if has_task_head(family, architecture):
        raise UnsupportedError("a task head reads the last token of each row, and all texts are in one")
    if (kind := architecture.model_type) not in KEPT_APART:
        raise UnsupportedError(f"models of the type '{kind}' are not known to keep the texts of a row apart")
