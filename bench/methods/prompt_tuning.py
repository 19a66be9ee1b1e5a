"""Prompt tuning: trained embeddings of virtual tokens in front of the text.

Lester, Al-Rfou, Constant 2021, https://arxiv.org/abs/2104.08691.
"""

from dataclasses import dataclass

import peft

from bench.methods.base import Act, Setting
from bench.methods.shared.peft_library import TEXT, PromptLearning, check_prompt, task_type


@dataclass(kw_only=True)
class PromptTuning(PromptLearning):
    """[P; E(x)] instead of E(x), with P `(virtual tokens, hidden)` trained and the model frozen.

    On an encoder the classifier reads the first position, which is then a virtual token; so does the peft library,
    which the survey used. On a decoder a task head reads the text's last token, and the prompt stands before it all.
    """

    shardable = True
    formula = "[P; E(x)]"
    why_not_identity = "every token attends to the virtual tokens from the start"
    where = "the input embeddings (T5: of the encoder)"
    trains = "P"

    def check(self, setting: Setting) -> None:
        """Not where a decoder reads the same text as tokens."""
        check_prompt(self.title, setting)
        super().check(setting)

    def acts(self, setting: Setting) -> dict[str, Act]:
        """The text that the model reads."""
        return {TEXT: Act()}

    def peft_config(self, setting: Setting) -> peft.PeftConfig:
        """PromptTuningConfig; one prompt, for T5 too, whose decoder gets none."""
        return peft.PromptTuningConfig(
            task_type=task_type(setting),
            num_virtual_tokens=self.num_virtual_tokens,
            num_transformer_submodules=1,
        )
