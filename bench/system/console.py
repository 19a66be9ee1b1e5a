"""Rich's console, for text from anywhere: it sends its own escape sequences and shows all others."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from bench.system.terminal import printable

ENDLESS = 400  # columns


def print_whole(table: RenderableType, console: Console) -> None:
    """Print a table that is wrapped in a terminal alone: in a pipe the width means nothing."""
    width = console.width
    if not console.is_terminal:
        console.width = ENDLESS
    console.print(table)
    console.width = width


class PlainConsole(Console):
    """A console whose texts are made printable, whatever they are a part of: tables, bars, lines."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a renderable; those that control the terminal are rich's own."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)
