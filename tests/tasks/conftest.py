"""The mirrors and tokenizers of `tests.mirrors`."""

from tests.mirrors import decoder_tokenizer, mirror, own_cache, real_data, tokenizer  # noqa: F401
