"""The text that a model is looked at with: ordinary English; for the package's own models, in their language."""

import random

from bench.configuration.schema import ModelConfig
from bench.miniature.corpus import Corpus
from bench.miniature.grammar import Speaker
from bench.miniature.lexicon import DEFAULT_SEED, build_lexicon

ENGLISH = (
    "The cat sat on the mat and looked out of the window. It was raining, so the children stayed at home and read "
    "their books until it was time for dinner."
)
DOCUMENTS = 3  # of the miniature's


def sample_of(config: ModelConfig) -> str:
    """A text that the model ought to be at home in."""
    if config.shipped is None or config.path is not None:
        return ENGLISH
    corpus = Corpus(DEFAULT_SEED, Speaker(build_lexicon(DEFAULT_SEED), random.Random(DEFAULT_SEED)))
    return " ".join(corpus.document().text() for _ in range(DOCUMENTS))
