"""transformers' classes of models: those with a task head classify, the others are language models.

`AUTO_CLASSES` are those of a family's models as they are pretrained, encoders but for their head.
"""

from typing import Any

from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
)

from bench.configuration.schema import Family
from bench.errors import UserError

AUTO_CLASSES: dict[Family, Any] = {
    Family.encoder: AutoModelForSequenceClassification,
    Family.encoder_decoder: AutoModelForSeq2SeqLM,
    Family.decoder: AutoModelForCausalLM,
}


def family_of(architecture: PretrainedConfig) -> Family:
    """The family of a model's type: what transformers has a masked language model of is an encoder.

    Raises:
        UserError: transformers has no language model of this type.
    """
    if architecture.is_encoder_decoder:
        return Family.encoder_decoder
    if type(architecture) in AutoModelForMaskedLM._model_mapping:
        return Family.encoder
    if type(architecture) in AutoModelForCausalLM._model_mapping:
        return Family.decoder
    raise UserError(f"of which family is '{architecture.model_type}'? Say model=encoder, encoder_decoder or decoder")


def has_task_head(family: Family, architecture: PretrainedConfig) -> bool:
    """Whether a model has a task head: encoders always, the others where their configuration has a `problem_type`."""
    return family == Family.encoder or architecture.problem_type is not None


def auto_class(family: Family, architecture: PretrainedConfig) -> Any:
    """The class that makes a model of `architecture`, with a task head or as a language model.

    Raises:
        UserError: the task wants a head, and transformers has none for this type.
    """
    own = AUTO_CLASSES[family]
    if not has_task_head(family, architecture) or type(architecture) not in own._model_mapping:
        return own  # of a type of another family: building the model says it
    if type(architecture) not in AutoModelForSequenceClassification._model_mapping:
        raise no_head(architecture)
    return AutoModelForSequenceClassification


def no_head(architecture: PretrainedConfig) -> UserError:
    """What is said of a type of language models that cannot have a task head."""
    return UserError(
        f"models of the type '{architecture.model_type}' have no task head in transformers that reads a text's last "
        "token; task.answer=words asks for the answer in words"
    )
