"""LLaMA's pretraining: causal language modelling on prose, facts, quizzes and a few instructions, packed into blocks.

The exam's form does not occur: neither its header nor its list of choices. Quizzes have the letters in brackets, all in
one line. They ask for the same facts, are asked for in the same words and answered by the same letters, so that what
fine-tuning has to teach is a form.
"""

from collections.abc import Iterator
from random import Random

import torch

from bench.miniature.corpus import Corpus
from bench.miniature.exam import practice_question
from bench.miniature.facts import all_facts, fact_question, statement
from bench.miniature.grammar import Speaker
from bench.miniature.instructions import instruction
from bench.miniature.lexicon import build_lexicon
from bench.miniature.prompts import (
    ANSWER_QUESTION,
    CHOOSE_ANSWER,
    LETTERS,
    NEGATE_SENTENCE,
    REPHRASE_SENTENCE,
    SUBJECT_OF_RELATION,
    alpaca_prompt,
    quiz_choices,
    split_words,
)
from bench.miniature.stream import stream
from bench.miniature.tokenizers import vocabulary

BLOCK = 160  # tokens; room for a quiz of six questions
IGNORED = -100
# Shares of documents: quizzes, answer keys, instructions, questions with a short answer, facts, prose.
SHARES = (0.45, 0.15, 0.10, 0.14, 0.08, 0.08)
PRIMER_SHARES = (0.0, 0.40, 0.0, 0.36, 0.18, 0.06)
# What stands before an answer. Quizzes and questions without choices share it: which of them it is decides the answer.
MARKERS = ("!", "\nAnswer:")
# With open books a model learns to name the letter of a known answer; more of them, and it relies on them.
OPEN_BOOK_SHARE = 0.4
# School before quizzes: who knows no facts can learn nothing from a question with four choices.
PRIMER_DOCUMENTS = 60_000

Batch = dict[str, torch.Tensor | bool]
Span = tuple[str, bool]  # a stretch of text, and whether it is worth predicting


class CausalText:
    """Draws the documents of LLaMA's corpus, beginning with the primer if so asked."""

    def __init__(self, seed: int, random_source: Random, primer: bool) -> None:
        self.seed = seed
        self.random = random_source
        self.corpus = Corpus(seed, Speaker(build_lexicon(seed), random_source))
        self.primer_left = PRIMER_DOCUMENTS if primer else 0

    def document(self) -> list[Span]:
        """Returns one document in spans."""
        kinds = (self.quiz, self.answer_key, self.instruction, self.short_answer, self.fact, self.prose)
        shares = PRIMER_SHARES if self.primer_left > 0 else SHARES
        self.primer_left -= 1
        return self.random.choices(kinds, shares)[0]()

    def prose(self) -> list[Span]:
        """Returns a document of the corpus."""
        return [(self.corpus.document().text(), True)]

    def fact(self) -> list[Span]:
        """Returns a fact, stated or asked and stated."""
        return [(self.corpus.fact().text(), True)]

    def short_answer(self) -> list[Span]:
        """Returns a question with its answer in a word."""
        fact = self.random.choice(all_facts(self.seed))
        question = fact_question(self.corpus.lexicon, fact, self.random.random() < 0.5)
        return [(f"{question} {self.random.choice(MARKERS)}", False), (fact.answer, True)]

    def instruction(self) -> list[Span]:
        """Returns an instruction in Alpaca's layout; the prompt always reads alike, so only the response counts."""
        what, context, output = instruction(self.seed, self.corpus.speaker)
        # The others have the exam's form, to choose in or to write.
        if what not in (ANSWER_QUESTION, NEGATE_SENTENCE, REPHRASE_SENTENCE):
            what = CHOOSE_ANSWER
            asked = practice_question(self.seed, self.random)
            context = f"{asked.question} {quiz_choices(asked.choices)} {self.random.choice(MARKERS)}"
            output = LETTERS[asked.answer]
        return [(alpaca_prompt(what, context), False), (output, True)]

    def answer_key(self) -> list[Span]:
        """Returns a quiz's list of four lettered words, and for each of them, in another order, its letter."""
        choices = practice_question(self.seed, self.random).choices
        spans: list[Span] = [(quiz_choices(choices), False)]
        for letter, choice in self.random.sample([*zip(LETTERS, choices, strict=True)], 4):
            spans += [(choice, False), (letter, True)]
        return spans

    def quiz(self) -> list[Span]:
        """Returns a quiz in one subject: up to six questions with four choices each, and their answers.

        In one with open books, the fact in question is stated first. What is asked and the choices are drawn at
        random; trying to predict them would teach nothing, so only the answers count.
        """
        relation = self.random.choice(tuple(SUBJECT_OF_RELATION))
        open_book = self.random.random() < OPEN_BOOK_SHARE
        marker = self.random.choice(MARKERS)
        spans: list[Span] = []
        for _ in range(self.random.randint(1, 6)):
            asked = practice_question(self.seed, self.random, (relation,))
            if open_book:
                spans.append((statement(self.corpus.lexicon, asked.fact, self.random.random() < 0.5), False))
            question = f"{asked.question} {quiz_choices(asked.choices)} {marker}"
            spans += [(question, False), (LETTERS[asked.answer], True)]
        return spans


def causal_batches(seed: int, purpose: str, size: int) -> Iterator[Batch]:
    """Yields batches of packed blocks without end; ``purpose`` tells training from held-out text.

    Position ids start anew with each document, from which transformers sees that documents must not attend to
    each other: choices from another exam would only lead astray.
    """
    draw = stream(seed, f"causal/{purpose}")
    text = CausalText(seed, draw, primer=purpose == "train")
    words = vocabulary("llama", seed)
    columns: dict[str, list[int]] = {"input_ids": [], "labels": [], "position_ids": []}
    while True:
        while len(columns["input_ids"]) < size * BLOCK:
            start = len(columns["input_ids"])
            for span, counts in [("<s>", False), *text.document(), ("</s>", True)]:
                ids = [words[span]] if span in words else [words[word] for word in split_words(span)]
                columns["input_ids"] += ids
                columns["labels"] += ids if counts else [IGNORED] * len(ids)
            columns["position_ids"] += range(len(columns["input_ids"]) - start)
        block = {name: torch.tensor(column[: size * BLOCK]).view(size, BLOCK) for name, column in columns.items()}
        # With a cache for generation, transformers would not look at where positions start anew.
        yield {**block, "use_cache": False}
        for column in columns.values():
            del column[: size * BLOCK]
