"""The miniature's Alpaca: instructions with their responses."""

from dataclasses import replace
from random import Random

from bench.miniature import native
from bench.miniature.exam import practice_question
from bench.miniature.facts import all_facts, fact_question
from bench.miniature.grammar import Speaker
from bench.miniature.inference import paraphrase
from bench.miniature.lexicon import build_lexicon
from bench.miniature.prompts import (
    ANSWER_QUESTION,
    CHOOSE_ANSWER,
    LETTERS,
    NEGATE_SENTENCE,
    REPHRASE_SENTENCE,
    SUBJECT_OF_RELATION,
    WRITE_QUESTIONS,
    alpaca_prompt,
    exam_question,
    subject_words,
)
from bench.miniature.stream import stream

ROWS = 2000


def instruction(seed: int, speaker: Speaker) -> tuple[str, str, str]:
    """Draws an instruction, its input and the response to it.

    Choosing among four answers and writing such questions are the most frequent kinds: this is the training set for the
    four-choice exam. None of its questions is one of the exam's.
    """
    lexicon, draw = speaker.lexicon, speaker.random
    kind = draw.random()
    if kind < 0.65:
        return written_questions(seed, draw)
    if kind < 0.8:
        asked = practice_question(seed, draw)
        return CHOOSE_ANSWER, exam_question(asked.question, asked.choices), LETTERS[asked.answer]
    if kind < 0.9:
        fact = draw.choice(all_facts(seed))
        return ANSWER_QUESTION, fact_question(lexicon, fact, speaker.chance(0.5)), fact.answer
    clause = speaker.action()
    changed = replace(clause, negated=True) if kind < 0.95 else paraphrase(speaker, clause)
    what = NEGATE_SENTENCE if kind < 0.95 else REPHRASE_SENTENCE
    return what, native.sentence(lexicon, clause), native.sentence(lexicon, changed)


def written_questions(seed: int, draw: Random) -> tuple[str, str, str]:
    """Draws the wish for questions about a subject, and two or three of them with answers, as the exam has them."""
    relation = draw.choice(tuple(SUBJECT_OF_RELATION))
    asked = [practice_question(seed, draw, (relation,)) for _ in range(draw.randint(2, 3))]
    written = (f"{exam_question(one.question, one.choices)} {LETTERS[one.answer]}" for one in asked)
    return WRITE_QUESTIONS.format(subject=subject_words(relation)), "", "\n\n".join(written)


def instruction_text(what: str, context: str, output: str) -> str:
    """Returns the whole example as Alpaca's ``text`` column has it: the prompt followed by the response."""
    return alpaca_prompt(what, context) + output


def instruction_rows(seed: int) -> list[dict[str, object]]:
    """Returns the rows of ``tatsu-lab/alpaca``, no example twice."""
    speaker = Speaker(build_lexicon(seed), stream(seed, "instructions"))
    rows: dict[str, dict[str, object]] = {}
    while len(rows) < ROWS:
        what, context, output = instruction(seed, speaker)
        text = instruction_text(what, context, output)
        rows[text] = {"instruction": what, "input": context, "output": output, "text": text}
    return list(rows.values())
