"""transformers' classes of a family's models: encoders have a task head, the others a language model's."""

from typing import Any

from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification

from bench.configuration.schema import Family

AUTO_CLASSES: dict[Family, Any] = {
    Family.encoder: AutoModelForSequenceClassification,
    Family.encoder_decoder: AutoModelForSeq2SeqLM,
    Family.decoder: AutoModelForCausalLM,
}
