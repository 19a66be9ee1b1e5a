"""Metrics of what a model has written, compared with one right text or with the best of several."""

import re
import sys
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from bench.evaluation import cmrc, squad
from bench.evaluation.translation_metric import DEFAULT, translation_score

Right = str | list[str]  # a text, or several that are all right
Function = Callable[[Sequence[Right], Sequence[str]], float]

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
MARK = "####"  # stands before the answer in GSM8K


def several(right: Right) -> list[str]:
    """The right texts."""
    return [right] if isinstance(right, str) else right


def best_of(compare: Callable[[str, str], float]) -> Function:
    """The mean of `compare` with the right text that suits best, as SQuAD and ReCoRD take it."""

    def score(right: Sequence[Right], said: Sequence[str]) -> float:
        return float(np.mean([max(compare(one, b) for one in several(a)) for a, b in zip(right, said, strict=True)]))

    return score


def translation(name: str, words: str = DEFAULT) -> Function:
    """SacreBLEU's corpus BLEU (of the words that its tokenizer `words` finds) or chrF, of one reference or several."""

    def score(right: Sequence[Right], said: Sequence[str]) -> float:
        streams = list(zip_longest(*map(several, right)))  # the first of each row, the second, …; None where none is
        return translation_score(name, [list(stream) for stream in streams], list(said), words)

    return score


def rouge(name: str) -> Function:
    """The mean F1 in 0…1 by Google's rouge-score, words stemmed; Lin 2004, https://aclanthology.org/W04-1013."""

    def score(right: Sequence[Right], said: Sequence[str]) -> float:
        scorer = _rouge_scorer(name)
        return best_of(lambda a, b: float(scorer.score(a, b)[name].fmeasure))(right, said)

    return score


def _rouge_scorer(name: str) -> Any:
    """Google's scorer; drawn in late, for nltk comes with it and takes a second.

    absl comes too, and its log handler takes hold of what stands for stderr at that moment and closes it when logging
    is configured anew, as each sweep does: pytest's and notebooks' own. The process's own stderr it leaves open.
    """
    from absl.logging import get_absl_handler
    from rouge_score.rouge_scorer import RougeScorer

    get_absl_handler().python_handler.setStream(sys.__stderr__)
    return RougeScorer([name], use_stemmer=True)


def same_number(right: str, said: str) -> float:
    """1 where what was written ends in the same number, else 0.

    The number is the last one, of what follows `####` where that was written; commas between digits do not count.
    Cobbe et al. 2021, https://arxiv.org/abs/2110.14168, mark the answer so.
    """
    wanted = last_number(right)
    return float(wanted is not None and wanted == last_number(said))


def last_number(text: str) -> float | None:
    """The last number in a text, or the first behind the last `####`; None for none."""
    _, mark, behind = text.rpartition(MARK)
    found = NUMBER.findall(behind)
    if not found:
        return None
    return float((found[0] if mark else found[-1]).replace(",", ""))


def first_label(right: Sequence[Right], said: Sequence[str]) -> float:
    """How often the first of all right answers that is written as a word is this row's; small letters do.

    LLM-Adapters reads the answers of its commonsense tasks so (Hu et al. 2023, https://arxiv.org/abs/2304.01933): the
    labels are those that the rows have.
    """
    labels = sorted({one.strip().lower() for answers in right for one in several(answers)}, key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(label)}(?!\w)" for label in labels))

    def is_right(wanted: Right, written: str) -> bool:
        found = pattern.search(written.lower())
        return found is not None and found[0] in [one.strip().lower() for one in several(wanted)]

    return float(np.mean([is_right(a, b) for a, b in zip(right, said, strict=True)]))


WRITTEN: dict[str, Function] = {
    "bleu": translation("bleu"),
    "chrf": translation("chrf"),
    "exact_match": best_of(lambda a, b: float(a.strip() == b.strip())),
    "squad_exact_match": best_of(squad.exact),
    "squad_f1": best_of(squad.overlap),
    "cmrc_exact_match": best_of(cmrc.exact),
    "cmrc_f1": best_of(cmrc.overlap),
    "exact_match_number": best_of(same_number),
    "exact_match_label": first_label,
    **{name: rouge(name) for name in ("rouge1", "rouge2", "rougeL", "rougeLsum")},
}
