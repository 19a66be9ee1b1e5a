"""QLoRA: LoRA on a base whose linear layers are stored in four bits.

Dettmers et al. 2023, https://arxiv.org/abs/2305.14314; code: artidoro/qlora.
"""

from dataclasses import dataclass

from bench.configuration.schema import Optimiser, Quantisation
from bench.methods.base import LoadOptions
from bench.methods.lora import Lora


@dataclass(kw_only=True)
class QLora(Lora):
    """h = dequantise(W) x + (alpha / r) B A x, with W in NF4, its scales quantised too, computed in bf16.

    Attributes:
        paged: let the optimizer's state be paged out to the host's memory where there is a GPU.
        nf4: whether the base is stored in four bits; else as `model.quantisation` says.
        double_quantisation: whether the scales of the blocks are quantised too, unless the model's own setting of that
            name already says that they are not.
    """

    paged: bool
    nf4: bool = True
    double_quantisation: bool = True

    formula = "h = dequantise(W) x + (α/r) B A x"
    where = "every linear layer of every block"
    trains = "A and B, over a base in NF4"
    differences = (
        "the base goes from fp32 into NF4; the authors' run rounds it to bf16 before (`qlora.py`, --bf16), embeddings "
        "and head included, which here stay in fp32",
        "A and B are held and updated in fp32, as the peft library has it; in the authors' run in bf16",
    )

    def load_options(self) -> LoadOptions:
        """NF4, or the base as it is."""
        return LoadOptions(Quantisation.nf4 if self.nf4 else Quantisation.none, self.double_quantisation)

    def optimiser(self) -> Optimiser:
        """Paged AdamW."""
        return Optimiser.paged_adamw if self.paged else Optimiser.adamw
