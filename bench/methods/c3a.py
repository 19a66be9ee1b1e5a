"""C³A: an update made of blocks, each of which convolves its inputs with a trained kernel.

Chen et al. 2024, https://arxiv.org/abs/2407.19342; the peft library's code is the authors'.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

from bench.errors import UserError
from bench.methods.base import Setting
from bench.methods.shared.ranges import divisor
from bench.methods.shared.sited_tuner import SitedTuner


@dataclass(kw_only=True)
class C3A(SitedTuner):
    """h = W x + C x / in; C `(out, in)` is made of circulant blocks `(b, b)`, of each of which one column is trained.

    In a layer that is as wide as the model, `pieces` blocks lie side by side: b is the model's width divided by it, and
    in · out / b values are trained, as many as LoRA of rank pieces / 2 has.

    Attributes:
        pieces: divides the hidden size; one for all families, or by family.
    """

    pieces: int | dict[str, int]

    kind = "C3A"
    number = "pieces"
    on_packed = True
    identity_at_start = False
    why_not_identity = "the kernels are drawn as Glorot's rule has it for the whole matrix"
    formula = "h = W x + C x / in, C of circulant blocks"
    where = "query and value projections"
    trains = "a column of every block of C"

    def check(self, setting: Setting) -> None:
        """The width is whole blocks."""
        super().check(setting)
        pieces, width = self.chosen(setting), setting.structure.hidden_size
        if width % pieces:
            raise UserError(f"method.pieces={pieces} must divide the hidden size {width}")

    def of_size(self, number: int, setting: Setting) -> Self:
        """The so-many-th divisor of the hidden size, from 1 on, as pieces.

        Raises:
            UserError: it has fewer.
        """
        return replace(self, pieces=divisor(number, 1, self.title, setting), budget=None)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `C3AConfig`."""
        block = setting.structure.hidden_size // self.chosen(setting)
        return {"block_size": block, "init_weights": "xavier_uniform"}
