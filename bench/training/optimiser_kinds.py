"""The optimisers that there are: torch's own and bitsandbytes', each with the settings of the cell that it knows.

AdamW: Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101; in eight bits: Dettmers et al. 2022,
https://arxiv.org/abs/2110.02861; paged: Dettmers et al. 2023, https://arxiv.org/abs/2305.14314. Adafactor: Shazeer &
Stern 2018, https://arxiv.org/abs/1804.04235. Lion: Chen et al. 2023, https://arxiv.org/abs/2302.06675.
"""

from typing import Any

import torch

from bench.configuration.schema import Optimiser, TrainingConfig

EIGHT_BIT = {Optimiser.adamw_8bit, Optimiser.paged_adamw_8bit}
PAGED = {Optimiser.paged_adamw, Optimiser.paged_adamw_8bit}
EIGHT_BIT_FROM = 4096  # values; bitsandbytes keeps the moments of smaller parameters in fp32 (`min_8bit_size`)
BLOCK = 256  # values that share a scale in eight bits


def build(groups: list[dict[str, Any]], training: TrainingConfig, kind: Optimiser) -> torch.optim.Optimizer:
    """An optimiser over parameter groups with their own `lr` and `weight_decay`.

    Args:
        groups: not empty; of one device.
        training: betas and epsilon, where the kind has them: Lion has no epsilon, SGD takes beta1 as its momentum,
            Adafactor has a schedule of its own for the second moment.
        kind: which. Paged state needs a GPU to page from; on a CPU the same optimiser without pages takes its place.
    """
    betas: dict[str, Any] = {"betas": (training.beta1, training.beta2)}
    on_gpu = groups[0]["params"][0].device.type == "cuda"
    if kind == Optimiser.adamw or (kind == Optimiser.paged_adamw and not on_gpu):
        return torch.optim.AdamW(groups, **betas, eps=training.epsilon, fused=True)
    if kind == Optimiser.sgd:
        return torch.optim.SGD(groups, momentum=training.beta1, fused=True)
    if kind == Optimiser.adafactor:
        return torch.optim.Adafactor(groups)
    # Imported late: bitsandbytes must not be loaded before a worker has its GPU.
    from bitsandbytes import optim

    if kind == Optimiser.lion:
        return optim.Lion(groups, **betas)
    classes = {
        Optimiser.adamw_8bit: optim.AdamW8bit,
        Optimiser.paged_adamw: optim.PagedAdamW32bit,
        Optimiser.paged_adamw_8bit: optim.PagedAdamW8bit if on_gpu else optim.AdamW8bit,
    }
    made: torch.optim.Optimizer = classes[kind](groups, **betas, eps=training.epsilon)
    return made
