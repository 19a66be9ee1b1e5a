"""The miniature's MMLU: four-choice questions about the facts of its world, in six subjects."""

import functools
import random
from dataclasses import dataclass

from bench.miniature.facts import Fact, all_facts, choices_for, fact_question
from bench.miniature.lexicon import build_lexicon
from bench.miniature.prompts import SUBJECT_OF_RELATION
from bench.miniature.stream import stream

DEV_PER_SUBJECT, VALIDATION_PER_SUBJECT, TEST_PER_SUBJECT = 5, 40, 50


@dataclass(frozen=True)
class ExamQuestion:
    """A four-choice question about a fact; ``answer`` is the index of the right choice."""

    fact: Fact
    question: str
    choices: tuple[str, ...]
    answer: int

    @property
    def key(self) -> tuple[Fact, frozenset[str]]:
        """What makes a question: its fact and its choices, whatever their order and the question's wording."""
        return self.fact, frozenset(self.choices)

    def row(self) -> dict[str, object]:
        """Returns the question as a row of ``cais/mmlu``."""
        subject = SUBJECT_OF_RELATION[self.fact.relation]
        return {"question": self.question, "subject": subject, "choices": list(self.choices), "answer": self.answer}


def ask(seed: int, fact: Fact, draw: random.Random) -> ExamQuestion:
    """Draws a four-choice question about a fact."""
    choices, answer = choices_for(seed, fact, draw)
    question = fact_question(build_lexicon(seed), fact, inverted=draw.random() < 0.5)
    return ExamQuestion(fact, question, tuple(choices), answer)


@functools.cache
def exam_questions(seed: int) -> dict[str, list[ExamQuestion]]:
    """Returns the questions of each split, sorted by subject as on the hub; no question occurs twice."""
    sizes = {"dev": DEV_PER_SUBJECT, "validation": VALIDATION_PER_SUBJECT, "test": TEST_PER_SUBJECT}
    known: set[tuple[Fact, frozenset[str]]] = set()
    splits: dict[str, list[ExamQuestion]] = {split: [] for split in sizes}
    for split, per_subject in sizes.items():
        draw = stream(seed, f"exam/{split}")
        for relation in sorted(SUBJECT_OF_RELATION, key=SUBJECT_OF_RELATION.__getitem__):
            candidates = [fact for fact in all_facts(seed) if fact.relation == relation]
            accepted = 0
            while accepted < per_subject:
                question = ask(seed, draw.choice(candidates), draw)
                if question.key in known:
                    continue
                known.add(question.key)
                splits[split].append(question)
                accepted += 1
    return splits


def exam_rows(seed: int) -> dict[str, list[dict[str, object]]]:
    """Returns the rows of each split of ``cais/mmlu``."""
    return {split: [question.row() for question in questions] for split, questions in exam_questions(seed).items()}


@functools.cache
def held_out(seed: int) -> frozenset[tuple[Fact, frozenset[str]]]:
    """Returns the keys of all of the exam's questions."""
    return frozenset(question.key for questions in exam_questions(seed).values() for question in questions)


def practice_question(
    seed: int, draw: random.Random, relations: tuple[str, ...] = tuple(SUBJECT_OF_RELATION)
) -> ExamQuestion:
    """Draws a question about ``relations`` that the exam does not ask: the same facts, other choices."""
    candidates = [fact for fact in all_facts(seed) if fact.relation in relations]
    while True:
        question = ask(seed, draw.choice(candidates), draw)
        if question.key not in held_out(seed):
            return question
