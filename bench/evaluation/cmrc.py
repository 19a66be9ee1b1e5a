"""Answers compared as CMRC2018 compares them, by characters; Cui et al. 2019, https://aclanthology.org/D19-1600.

As in the evaluation script of its authors (ymcui/cmrc2018, cmrc2018_evaluate.py, version 5), which CLUE uses for DRCD
too. What is not Chinese in an answer is cut into words by NLTK. The script has NLTK cut it into sentences first, which
takes a model from the internet; without it the full stop behind a sentence of Latin letters stays with its last word
where another sentence follows.
"""

from difflib import SequenceMatcher

FIRST, LAST = "\u4e00", "\u9fa5"  # the Chinese characters that count as such
PUNCTUATION = "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』"
REMOVED = str.maketrans("", "", PUNCTUATION)


def bare(answer: str) -> str:
    """An answer in small letters, without blanks around it and without punctuation."""
    return answer.lower().strip().translate(REMOVED)


def segments(answer: str) -> list[str]:
    """The Chinese characters of an answer, each by itself, and the words between them."""
    found: list[str] = []
    other = ""
    for character in bare(answer):
        if FIRST <= character <= LAST:
            found += [*_words(other), character]
            other = ""
        else:
            other += character
    return found + _words(other)


def exact(reference: str, prediction: str) -> float:
    """1 where both are the same without punctuation, else 0."""
    return float(bare(reference) == bare(prediction))


def overlap(reference: str, prediction: str) -> float:
    """F1 of the longest run of segments that both have; 0 where there is none."""
    right, said = segments(reference), segments(prediction)
    longest = SequenceMatcher(None, right, said, autojunk=False).find_longest_match().size
    return 2 * longest / (len(right) + len(said)) if longest else 0.0


def _words(text: str) -> list[str]:
    """As NLTK cuts them; drawn in late, for it takes seconds."""
    if not text.strip():
        return []
    from nltk.tokenize import NLTKWordTokenizer

    words: list[str] = NLTKWordTokenizer().tokenize(text)
    return words
