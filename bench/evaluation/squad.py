"""Answers compared as SQuAD compares them; Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250, section 6.1."""

import re
import string
from collections import Counter

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def words(answer: str) -> list[str]:
    """The words of an answer in small letters, without punctuation and English articles."""
    return ARTICLES.sub(" ", answer.lower().translate(PUNCTUATION)).split()


def exact(reference: str, prediction: str) -> float:
    """1 where the words are the same, else 0."""
    return float(words(reference) == words(prediction))


def overlap(reference: str, prediction: str) -> float:
    """F1 of the words that both have; where one has none, 1 if neither has."""
    right, said = words(reference), words(prediction)
    if not right or not said:
        return float(right == said)
    common = sum((Counter(right) & Counter(said)).values())
    return 2 * common / (len(right) + len(said))
