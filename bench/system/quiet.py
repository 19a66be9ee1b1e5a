"""Silences what libraries say on every run although it is the normal case here. Import before them."""

import logging
import os
import warnings

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # forked workers; the warning about it is no news
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

# "no CPU kernels from the hub": the built-in ones do; "inputs will be cast", each product's: eight bits come of fp16.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
logging.getLogger("sacrebleu").setLevel(logging.ERROR)  # "tokenized period": the miniature's text is spaced out
# transformers asks a model for its own deprecated attribute when accelerate prepares it.
warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
warnings.filterwarnings("ignore", message="`gradient_checkpointing_enable` is deprecated", category=FutureWarning)
# GPT-2 has linear layers of two kinds once its fused ones are split; the peft library tells them apart by itself.
warnings.filterwarnings("ignore", message="fan_in_fan_out is set to", category=UserWarning)


def quiet_transformers() -> None:
    """No bars while weights are read; no notice that the task head is new, which it always is."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
