"""What `bench check` found, in the terminal."""

import json
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.running.method_check import MethodReport
from bench.running.model_check.report import ModelReport
from bench.running.task_check import TaskReport

LONGEST = 400  # characters of an example


def to_json(found: Any) -> str:
    """For programs: a report as plain data."""
    return json.dumps(found, indent=2, ensure_ascii=False)


def show_methods(reports: Sequence[MethodReport], console: Console) -> None:
    """Family by family: counts, losses, promises kept and broken."""
    for report in reports:
        print_line(console, f"{report.family} ({report.model})")
        if report.refused is not None:
            print_line(console, f"  refused: {report.refused}")
        if report.parameters is not None:
            share = report.parameters.trainable / report.parameters.base_total
            print_line(console, f"  trains {report.parameters.trainable:,} parameters, {share:.2%} of the base")
        for promise in report.kept:
            print_line(console, f"  right: {promise}")
        for broken in report.broken:
            print_line(console, f"  wrong: {broken}")
        if report.losses:
            print_line(console, f"  losses: {', '.join(f'{loss:.3f}' for loss in report.losses)}")


def show_model(report: ModelReport, console: Console) -> None:
    """Section by section: what is so, what was checked; the conclusion last."""
    print_line(console, f"{report.model} ({report.family})")
    for name, section in report.sections.items():
        print_line(console, f"\n{name}")
        for method, count in section.fits.items():
            print_line(console, f"  {method}: {count:,} parameters trained")
        for reason in dict.fromkeys(section.refused.values()):
            methods = [method for method, why in section.refused.items() if why == reason]
            print_line(console, f"  {', '.join(methods)}: not with this model: {reason}")
        for what, value in section.facts.items():
            print_line(console, f"  {what}: {_short(_plain(value))}")
        for said, lines in (("right", section.right), ("look at", section.doubts), ("wrong", section.wrong)):
            for line in lines:
                print_line(console, f"  {said}: {line}")
        for line in section.skipped:
            print_line(console, f"  not looked at: {line}")
    print_line(console, f"\n{report.conclusion}")


def show_task(report: TaskReport, console: Console) -> None:
    """Examples first, then the splits, then what needs a look."""
    print_line(console, f"{report.task} as {report.model} is given it")
    for index, example in enumerate(report.examples, 1):
        print_line(console, f"\nexample {index}: {_short(example.text)}")
        print_line(console, f"  answer: {_short(example.answer)}")
        print_line(console, f"  tokens: {_short(' '.join(example.tokens))}")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for name in ("Split", "Rows", "Tokens: median", "95 %", "Longest", "Cut", "Unknown", "Answers"):
        table.add_column(name, justify="left" if name in ("Split", "Answers") else "right")
    for name, split in report.splits.items():
        lengths = split.lengths
        answers = ", ".join(f"{label} {count / split.rows:.0%}" for label, count in split.labels.items())
        table.add_row(
            name, str(split.rows), str(lengths.median), str(lengths.p95), str(lengths.longest), f"{lengths.cut:.1%}",
            f"{split.unknown:.1%}", Text(answers or "–"),
        )  # fmt: skip
    console.print()
    console.print(table)
    console.print()
    for said, score in report.floors.items():
        print_line(console, f"{report.main} of {said}: {score:.4f}")
    for key, value in report.notes.items():
        print_line(console, f"{key}: {value}")
    for warning in report.warnings:
        print_line(console, f"look at: {warning}")


def print_line(console: Console, text: str) -> None:
    """As it is, without markup or colours of its own."""
    console.print(Text(text), soft_wrap=True)


def _short(text: str) -> str:
    flat = text.replace("\n", "⏎")
    return flat if len(flat) <= LONGEST else f"{flat[:LONGEST]}…"


def _plain(value: Any) -> str:
    """A fact in words: thousands told apart, mappings as `3 query, 3 key`."""
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{_plain(count)} {name}" for name, count in value.items()) or "none"
    if isinstance(value, list):
        return " ".join(map(_plain, value)) or "none"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
