"""The text part of a checkpoint of images and texts, as the language model that the same class of texts alone is.

transformers' causal language model of such a `model_type` is the whole: it would have its image encoder counted, and
trained with the rest. The part is read by the class of its `text_config`, its tensors under the names that they have
there; those of the image encoder are left out, and the record's warnings say so.
"""

from collections.abc import Mapping
from typing import Any

from transformers import PretrainedConfig

from bench.configuration.schema import Family

# By `model_type` of the whole. As Google published them, and as transformers has named them since version 4.52.
RENAMED: Mapping[str, Mapping[str, str]] = {
    "gemma3": {
        r"^language_model\.model\.": "model.",
        r"^language_model\.lm_head\.": "lm_head.",
        r"^model\.language_model\.": "model.",
    },
}


def text_part(read: PretrainedConfig, family: Family, labels: Mapping[str, Any]) -> PretrainedConfig:
    """The configuration of the text part, where `read` is one of images and texts; else `read` itself.

    Args:
        read: of a checkpoint.
        family: of the model; only decoders have such parts.
        labels: what is set in a configuration for the task's head.
    """
    if family != Family.decoder or read.model_type not in RENAMED:
        return read
    part: PretrainedConfig = read.get_text_config()
    for name, value in labels.items():
        setattr(part, name, value)
    return part


def reading_names(architecture: PretrainedConfig) -> dict[str, dict[str, str]]:
    """What `from_pretrained` is told of the tensors' names; nothing of models that are no text part."""
    kinds = [kind for kind in RENAMED if architecture.model_type == f"{kind}_text"]
    return {"key_mapping": dict(RENAMED[kinds[0]])} if kinds else {}


def is_whole(model_type: Any) -> bool:
    """Whether a checkpoint of this type is one of images and texts of which the text part is read."""
    return model_type in RENAMED
