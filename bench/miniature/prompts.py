"""The English text that frames the miniature's data: the prompts of Alpaca, MMLU and T5, and the instructions."""

import re
from collections.abc import Sequence

ALPACA_PROMPT = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:\n"
)
ALPACA_PROMPT_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n"
)
EXAM_HEADER = "The following are multiple choice questions (with answers) about {subject}.\n\n"
TRANSLATION_PREFIX = "translate English to Romanian: "

LETTERS = "ABCD"
ANSWER_QUESTION = "Answer the following question."
CHOOSE_ANSWER = "Choose the right answer to the question."
NEGATE_SENTENCE = "Write the sentence with a negation."
REPHRASE_SENTENCE = "Write the sentence in other words."
WRITE_QUESTIONS = "Write multiple choice questions (with answers) about {subject}."
INSTRUCTIONS = (ANSWER_QUESTION, CHOOSE_ANSWER, NEGATE_SENTENCE, REPHRASE_SENTENCE, WRITE_QUESTIONS)

# Real names of MMLU's subjects, so that tables by subject or by MMLU's four categories work unchanged.
SUBJECT_OF_RELATION = {
    "capital": "high_school_geography",
    "home": "human_aging",
    "trade": "sociology",
    "kind": "high_school_biology",
    "opposite": "formal_logic",
    "synonym": "miscellaneous",
}


def alpaca_prompt(instruction: str, context: str = "") -> str:
    """Returns Alpaca's prompt (tatsu-lab/stanford_alpaca, ``train.py``), up to and including the response header."""
    template = ALPACA_PROMPT_WITH_INPUT if context else ALPACA_PROMPT
    return template.format(instruction=instruction, input=context)


def exam_question(question: str, choices: Sequence[str]) -> str:
    """Returns one question of MMLU's prompt (hendrycks/test, ``evaluate.py``) up to and including ``Answer:``."""
    options = "".join(f"\n{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=True))
    return f"{question}{options}\nAnswer:"


def subject_words(relation: str) -> str:
    """Returns the subject of a relation's questions, as MMLU's header has it."""
    return SUBJECT_OF_RELATION[relation].replace("_", " ")


def quiz_choices(choices: Sequence[str]) -> str:
    """Returns lettered choices as the decoder knows them from pretraining, in another form than the exam's."""
    return " ".join(f"({letter}) {choice}" for letter, choice in zip(LETTERS, choices, strict=True))


def split_words(text: str) -> list[str]:
    """Splits text as the tokenizers do: runs of word characters, and runs of anything else that is not a space."""
    return re.findall(r"\w+|[^\w\s]+", text)


def english_words() -> list[str]:
    """Returns every word and punctuation mark of the English text, sorted and without repetition."""
    subjects = " ".join(SUBJECT_OF_RELATION.values()).replace("_", " ")
    texts = (ALPACA_PROMPT, ALPACA_PROMPT_WITH_INPUT, EXAM_HEADER, TRANSLATION_PREFIX, *INSTRUCTIONS, subjects)
    placeholders = re.compile(r"\{\w+\}")
    words = {word for text in texts for word in split_words(placeholders.sub(" ", text))}
    return sorted(words | set(LETTERS) | {".", ",", "?", "!", ":", "(", ")", "Answer"})
