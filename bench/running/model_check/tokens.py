"""A model's tokenizer, held against the model: rows of its embedding, special tokens, a text there and back."""

from typing import Any

from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import Family, ModelConfig, Weights
from bench.data.vocabulary import check_tokens
from bench.errors import UserError
from bench.models.source import is_local
from bench.models.tokenizer import end_token, load_tokenizer, padding_token, unknown_token
from bench.running.model_check.report import Section
from bench.system.hub import offline_if_unreachable
from bench.tasks.mmlu import letters

NAMED = 3  # tokens
SPECIAL = ("pad_token", "eos_token", "bos_token", "unk_token")


def look_at_tokens(
    base: ModelConfig, architecture: Any, rows: int, text: str
) -> tuple[Section, PreTrainedTokenizerBase | None]:
    """Load the tokenizer, and cut a text with it.

    Args:
        base: the model.
        architecture: its transformers configuration.
        rows: of its embedding.
        text: to be cut.

    Returns:
        What was found, and the tokenizer; None where there is none or its tokens are not the model's.
    """
    try:
        tokenizer = load_tokenizer(base)
    except UserError as error:
        return _without(base, error), None
    section = Section({"class": type(tokenizer).__name__, "vocabulary": len(tokenizer), "rows of the embedding": rows})
    for name in SPECIAL:
        index = unknown_token(tokenizer) if name == "unk_token" else getattr(tokenizer, f"{name}_id")
        section.facts[name] = None if index is None else _named(tokenizer, index)
    padding = padding_token(tokenizer, architecture, base.family, rows)
    section.facts["padded with"] = _named(tokenizer, padding)
    ids = list(tokenizer(text)["input_ids"])

    def check() -> None:
        known = check_tokens({"sample": [{"input_ids": ids}]}, tokenizer, architecture, base.family, rows)
        section.doubts.extend(known.warnings)

    is_models = section.hold("every word of the vocabulary has a row of the embedding", check)
    beyond = [token for token, index in tokenizer.get_added_vocab().items() if index >= rows]
    if beyond and is_models:
        names = f"{', '.join(beyond[:NAMED])}{', …' if len(beyond) > NAMED else ''}"
        section.doubts.append(f"added tokens have no row of the embedding: {names}; a text with one is refused")
    _there_and_back(section, tokenizer, text, ids)
    if base.family != Family.encoder:
        _doubt_unless(section, "there is an end token, which ends what is to be learnt", lambda: end_token(tokenizer))
    if base.family == Family.decoder:
        _doubt_unless(section, "behind 'Answer:' A, B, C and D can be told apart", lambda: letters(tokenizer))
    return section, tokenizer if is_models else None


def _without(base: ModelConfig, error: UserError) -> Section:
    """A tokenizer that is not there is a fault where its files could be: beside weights that are."""
    has_files = is_local(base) or (base.hub is not None and not offline_if_unreachable())
    if has_files and (base.weights != Weights.random or base.shipped is not None):
        return Section(wrong=[str(error)])
    return Section(skipped=[f"the tokenizer: {error}"])


def _there_and_back(section: Section, tokenizer: PreTrainedTokenizerBase, text: str, ids: list[int]) -> None:
    back = str(tokenizer.decode(ids, skip_special_tokens=True)).strip()
    section.facts["sample"] = text
    section.facts["as tokens"] = list(map(str, tokenizer.convert_ids_to_tokens(ids)))
    if back == text:
        section.right.append("the sample comes back the same from its tokens")
    else:
        section.doubts.append(f"the sample comes back otherwise from its tokens: {back}")


def _doubt_unless(section: Section, said: str, check: Any) -> None:
    """What some tasks need and others do not."""
    tried = Section()
    tried.hold(said, check)
    section.right += tried.right
    section.doubts += tried.wrong


def _named(tokenizer: PreTrainedTokenizerBase, index: int) -> str:
    return f"{tokenizer.convert_ids_to_tokens(index)} ({index})"
