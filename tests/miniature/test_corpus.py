"""The pretraining text: nothing from the evaluation splits, and the objectives of the three families."""

import itertools
import random
import re

import pytest

from bench.miniature.corpus import Corpus
from bench.miniature.exam import exam_questions, held_out, practice_question
from bench.miniature.facts import all_facts
from bench.miniature.glue import glue_rows
from bench.miniature.grammar import Speaker
from bench.miniature.lexicon import DEFAULT_SEED, build_lexicon
from bench.miniature.pretraining.causal import BLOCK, CausalText, causal_batches
from bench.miniature.pretraining.masked import IGNORED, masked_batches
from bench.miniature.pretraining.spans import corrupt_spans, span_batches
from bench.miniature.schema import GLUE_TEXTS
from bench.miniature.stream import stream


def test_no_evaluation_sentence_is_in_the_corpus() -> None:
    corpus = Corpus(DEFAULT_SEED, Speaker(build_lexicon(), stream(3, "tests")))
    documents = [corpus.document() for _ in range(3000)]
    sentences = {sentence for document in documents for sentence in (document.first, document.second)}
    evaluated = {
        str(row[text])
        for task in ("sst2", "cola", "rte", "mrpc")
        for split, rows in glue_rows(DEFAULT_SEED, task).items()
        for row in rows
        for text in GLUE_TEXTS[task]
        if split != "train"
    }
    assert sentences.isdisjoint(evaluated)


def test_practice_questions_are_not_the_exams() -> None:
    assert all(question.key in held_out(DEFAULT_SEED) for question in exam_questions(DEFAULT_SEED)["test"])
    draw = random.Random(1)
    practice = [practice_question(DEFAULT_SEED, draw) for _ in range(500)]
    assert all(question.key not in held_out(DEFAULT_SEED) for question in practice)


def test_corrupted_spans_restore_the_text() -> None:
    words = [f"w{number}" for number in range(40)]
    source, target = corrupt_spans(words, random.Random(2))
    spans: dict[str, list[str]] = {}
    for word in target:
        if word.startswith("<"):
            spans[word] = []
        else:
            spans[next(reversed(spans))].append(word)
    restored = itertools.chain.from_iterable(spans.get(word, [word]) for word in source)
    assert list(restored) == words
    assert spans


def test_masked_batches_hide_some_words_and_ask_for_them() -> None:
    batch = next(masked_batches(DEFAULT_SEED, "tests", 64))
    asked = batch["labels"] != IGNORED
    assert 0.05 < asked.float().mean() < 0.4
    assert asked[:, 0].any(), "discourse markers are asked for at <s>"
    assert (batch["input_ids"][asked] != batch["labels"][asked]).float().mean() > 0.7


def test_causal_batches_are_full_blocks() -> None:
    batch = next(causal_batches(DEFAULT_SEED, "tests", 4))
    assert batch["input_ids"].shape == batch["labels"].shape == (4, BLOCK)
    counted = batch["labels"] != IGNORED
    assert (batch["labels"] == batch["input_ids"])[counted].all()


def test_the_decoder_has_never_seen_the_form_of_the_exam() -> None:
    """It knows the facts, and letters for answers: the list of choices and its header are for tuning to teach."""
    text = CausalText(DEFAULT_SEED, random.Random(0), primer=False)
    for _ in range(2000):
        document = "".join(span for span, _ in text.document())
        assert "multiple choice" not in document
        assert not any(f"{letter}. " in document for letter in "ABCD")


def test_quizzes_are_answered_by_the_right_letter() -> None:
    text = CausalText(DEFAULT_SEED, random.Random(0), primer=False)
    right = {(fact.about, fact.answer) for fact in all_facts(DEFAULT_SEED)}
    for _ in range(100):
        spans = text.quiz()
        for (asked, counts), (letter, answer_counts) in itertools.pairwise(spans):
            if not asked.rstrip().endswith(("!", "Answer:")):
                continue
            assert (counts, answer_counts) == (False, True), "the answer alone is worth predicting"
            word = re.search(rf"\({letter}\) (\w+)", asked).group(1)
            assert any((about, word) in right for about in asked.split())


@pytest.mark.parametrize("batches", [masked_batches, span_batches, causal_batches])
def test_batches_depend_on_seed_and_purpose_alone(batches) -> None:  # type: ignore[no-untyped-def]
    first, second, other = (next(batches(DEFAULT_SEED, purpose, 8)) for purpose in ("train", "train", "held-out"))
    assert all(first[name].equal(second[name]) for name in ("input_ids", "labels"))
    assert not first["input_ids"].equal(other["input_ids"])
