"""(IA)³: trained vectors that rescale activations.

Liu et al. 2022, https://arxiv.org/abs/2205.05638, section 3.3.
"""

from dataclasses import dataclass

import peft

from bench.errors import UserError
from bench.methods.base import Setting
from bench.methods.shared.peft_library import AtSites, by_family


@dataclass(kw_only=True)
class Ia3(AtSites):
    """y = l ⊙ (W x), or y = W (l ⊙ x) at the input sites; l starts at one.

    Attributes:
        sites: by family, which linear layers are rescaled.
        input_sites: by family, which of them at their input instead of their output.
    """

    input_sites: dict[str, list[str]]

    shardable = True
    stacks = True
    mergeable = True
    formula = "y = l ⊙ (W x)"
    where = "keys, values and feed-forward (LLaMA: all seven linear layers of a block)"
    trains = "the vectors l"

    def check(self, setting: Setting) -> None:
        """A layer that is rescaled at its input is one of those that are rescaled."""
        super().check(setting)
        sites = by_family(self.sites, setting, "sites")
        for site in by_family(self.input_sites, setting, "input_sites"):
            if site not in sites:
                raise UserError(
                    f"method.input_sites.{setting.family} names {site}, which method.sites.{setting.family} lacks; "
                    f"name it in both"
                )

    def peft_config(self, setting: Setting) -> peft.PeftConfig:
        """IA3Config on the full paths of the sites."""
        return peft.IA3Config(
            target_modules=setting.structure.paths(by_family(self.sites, setting, "sites")),
            feedforward_modules=setting.structure.paths(by_family(self.input_sites, setting, "input_sites")),
        )
