"""Corpus BLEU and chrF, by sacreBLEU; Post 2018, https://arxiv.org/abs/1804.08771."""

from collections.abc import Sequence
from importlib.util import find_spec

from sacrebleu import BLEU, CHRF

from bench.errors import UserError, unknown_name

# sacreBLEU's own choice by the target language (`sacrebleu --language-pair`); for all others its default, 13a.
BY_LANGUAGE = {
    **dict.fromkeys(("zh", "zho", "chi", "cmn", "yue"), "zh"),
    **dict.fromkeys(("ja", "jpn"), "ja-mecab"),
    **dict.fromkeys(("ko", "kor"), "ko-mecab"),
    # Written without spaces too, and sacreBLEU has nothing for them: characters.
    **dict.fromkeys(("th", "tha", "lo", "lao", "km", "khm", "my", "mya", "bo", "bod", "dz", "dzo"), "char"),
}
DEFAULT = "13a"
# What a tokenizer needs, and how it is had.
NEEDS = {"ja-mecab": ("MeCab", "sacrebleu[ja]"), "ko-mecab": ("mecab_ko", "sacrebleu[ko]")}


def bleu_tokenizer(language: str, wanted: str | None = None) -> str:
    """SacreBLEU's tokenizer for translations into `language`, unless another is `wanted`.

    Args:
        language: a code such as zh, zh-CN or zho_Hans.
        wanted: a name of sacreBLEU's; None: what suits the language.

    Raises:
        UserError: no such tokenizer, or one that needs a package which is not installed.
    """
    name = wanted or BY_LANGUAGE.get(language.lower().replace("_", "-").partition("-")[0], DEFAULT)
    if name not in BLEU.TOKENIZERS:
        raise unknown_name("BLEU tokenizer", name, BLEU.TOKENIZERS)
    if name in NEEDS and find_spec(NEEDS[name][0]) is None:
        raise UserError(
            f"BLEU of the language '{language}' needs sacreBLEU's tokenizer {name}: pip install '{NEEDS[name][1]}', or "
            "say task.bleu_tokenizer=char for characters"
        )
    return name


def translation_score(
    name: str, references: Sequence[Sequence[str | None]], predictions: Sequence[str], tokenizer: str = DEFAULT
) -> float:
    """BLEU or chrF in 0…100.

    Args:
        name: bleu or chrf.
        references: one list or several, each parallel to the predictions; None where a prediction has no more.
        predictions: what was written.
        tokenizer: finds BLEU's words.
    """
    metric = BLEU(tokenize=tokenizer) if name == "bleu" else CHRF()
    # sacreBLEU does take None, it only does not say so
    return float(metric.corpus_score(predictions, references).score)  # type: ignore[arg-type]


def translation_signatures(tokenizer: str = DEFAULT) -> dict[str, str]:
    """How the scores are computed, in sacreBLEU's own words."""
    signatures = {}
    for name, metric in (("bleu", BLEU(tokenize=tokenizer)), ("chrf", CHRF())):
        metric.corpus_score(["a"], [["a"]])  # the signature is complete only after the references are known
        signatures[name] = str(metric.get_signature())
    return signatures
