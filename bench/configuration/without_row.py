"""What the peft library has and no row stands for: why, and what runs it all the same.

Who asks for `method=lily` is told, and a test holds the list against the installed library.
"""

from dataclasses import dataclass

from bench.errors import UserError

SEVERAL_TASKS = "it learns several tasks at once, and a cell has one"
SINGULAR = (
    "it trains along singular vectors of the base's weights, whose signs no two machines agree on, so that what is "
    "trained on one is something else on another"
)
NO_DATA = "it begins from a pass over training data that the library leaves to its user"
NO_LOSS = "the library leaves the loss that belongs to it to a training loop of one's own"


@dataclass(frozen=True)
class Absent:
    """Why there is no row.

    Attributes:
        why: the reason.
        instead: what runs it, or comes nearest; empty: nothing here does.
    """

    why: str
    instead: str = ""


def _any(kind: str, settings: str = "") -> str:
    return f"method=peft/any peft.type={kind} runs it{settings}"


# By the library's name of the type.
TYPES = {
    "ADAMSS": Absent(SINGULAR, _any("ADAMSS")),
    "ADAPTION_PROMPT": Absent(
        "LLaMA-Adapter is made for decoders that are built like LLaMA, and the other families have nothing of it",
        _any("ADAPTION_PROMPT", " there, with peft.adapter_len=10 peft.adapter_layers=30"),
    ),
    "BEFT": Absent("BitFit trains the biases of the values among others", "method=bitfit; " + _any("BEFT")),
    "BOFT": Absent(
        "without the library's own CUDA extension it has one factor in place of its paper's two or more, and is OFT",
        "method=oft; " + _any("BOFT"),
    ),
    "CARTRIDGE": Absent(
        "its prefix is distilled from one long text, and no task has that", "method=prefix_tuning; " + _any("CARTRIDGE")
    ),
    "CPT": Absent("its prompt is made of labelled examples, which a method here does not get"),
    "DEFT": Absent("its paper adapts models that make images, and has no settings for text", _any("DEFT")),
    "FROD": Absent(SINGULAR, _any("FROD")),
    "GLORA": Absent(
        "its paper searches for every layer which of five updates it gets, and the library has no search", _any("GLORA")
    ),
    "LILY": Absent(
        "the library weighs its experts by all tokens of a batch, so that a text's answer depends on its neighbours",
        _any("LILY"),
    ),
    "MULTITASK_PROMPT_TUNING": Absent(SEVERAL_TASKS),
    "OSF": Absent("it is for tasks that are learnt one after the other, and trains half of each matrix", _any("OSF")),
    "POLY": Absent(SEVERAL_TASKS),
    "PSOFT": Absent(SINGULAR, _any("PSOFT")),
    "PVERA": Absent(NO_LOSS + ", and without it it is VeRA with noise", "method=vera; " + _any("PVERA")),
    "P_TUNING": Absent(
        "it is prompt tuning whose tokens come from a network, and its authors' settings are for none of these models",
        "method=prompt_tuning; " + _any("P_TUNING"),
    ),
    "SHADOW": Absent("its second network has a loss of its own, and the last layer of it is never used"),
    "TINYLORA": Absent(SINGULAR + "; its paper trains it by reinforcement", _any("TINYLORA")),
    "TRAINABLE_TOKENS": Absent(
        "it teaches a model new tokens, and no task has any", _any("TRAINABLE_TOKENS", " with peft.token_indices=[…]")
    ),
    "XLORA": Absent("it mixes adapters that were trained before, and a cell has none"),
}

# Beginnings and kinds of the library's LoRA, by the name that a row would have.
OF_LORA = {
    "alora": Absent("it acts behind tokens that start it, which no task's prompt has"),
    "arrow": Absent("it routes between adapters that were trained before, and a cell has none"),
    "bdlora": Absent(
        "it cuts factors into blocks for serving on several devices", _any("LORA", " as peft.use_bdlora=…")
    ),
    "corda": Absent(NO_DATA),
    "eva": Absent(NO_DATA),
    "kasa": Absent(NO_LOSS),
    "loftq": Absent(
        "it begins from what a quantised base lacks, and the library leaves the base here as wide as it was",
        "method=qlora; " + _any("LORA", " with peft.init_lora_weights=loftq"),
    ),
    "lora_ga": Absent(NO_DATA),
    "lora_plus": Absent("it is LoRA with a higher rate for B", "method=lora method.b_rate=16"),
    "mica": Absent(SINGULAR, _any("LORA", " with peft.init_lora_weights=mica")),
    "monteclora": Absent(NO_LOSS),
    "qalora": Absent("it needs a base quantised by GPTQ"),
    "velora": Absent(
        "it compresses what the backward pass keeps, and learns nothing else",
        _any("LORA", " with peft.velora_config={…}"),
    ),
}
# What others call rows that there are.
OTHER_NAMES = {"bone": "miss", "lokr": "krona", "layernorm_tuning": "ln_tuning", "fedpara": "loha"}


def why_no_row(name: str) -> UserError | None:
    """What is to be said to someone who asks for a method by this name; None: nothing is known of it."""
    plain = _plain(name)
    for known, row in OTHER_NAMES.items():
        if plain == _plain(known):
            return UserError(f"there is no method '{name}' by that name: it is method={row}")
    for known, absent in (TYPES | OF_LORA).items():
        if plain == _plain(known):
            instead = f"; {absent.instead}" if absent.instead else ""
            return UserError(f"the peft library's '{name}' is no row here: {absent.why}{instead}")
    return None


def _plain(name: str) -> str:
    return name.lower().replace("+", "plus").translate(str.maketrans("", "", "-_ "))
