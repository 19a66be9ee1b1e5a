"""Tiny models of the three families, and the methods of `configs/method` at sizes that fit them."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
import transformers
from torch import nn

from bench.configuration.compose import Configurations, build
from bench.configuration.schema import Family, Quantisation, TrainingConfig
from bench.methods.base import Method, Setting
from bench.models.auto_classes import auto_class
from bench.models.families import structure_of
from bench.models.head import head_parameters, train_head
from bench.models.last_token import read_last_token
from bench.models.quantisation import Packing, quantise, settle
from bench.training.optimiser import make_optimiser

HIDDEN = 64
TEXT = 9  # tokens
VOCABULARY = 60
HEAD = {"num_labels": 2, "problem_type": "single_label_classification"}  # of any family
# Sizes of a method's settings that fit a hidden size of 64; everything else is as in its YAML.
SIZES = {
    "bottleneck": 8, "r": 4, "init_r": 4, "target_r": 2, "length": 4, "inner": 16, "num_virtual_tokens": 4,
    "interval": 2, "n": 50, "num_vectors": 8, "vector_length": 16, "block_size": 8, "group_size": 16,
}  # fmt: skip


def tiny_config(family: str, **changes: Any) -> transformers.PretrainedConfig:
    """A transformers configuration of the family: two layers, no dropout, keys shared by two heads in LLaMA."""
    shared: dict[str, Any] = {"vocab_size": VOCABULARY, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    kinds: dict[str, dict[str, Any]] = {
        "encoder": {
            "model_type": "roberta", "hidden_size": HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 4,
            "intermediate_size": 128, "max_position_embeddings": 66, "type_vocab_size": 1, "num_labels": 2,
            "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
        },
        "encoder_decoder": {
            "model_type": "t5", "d_model": HIDDEN, "d_kv": 16, "num_heads": 4, "d_ff": 128, "num_layers": 2,
            "dropout_rate": 0.0, "tie_word_embeddings": True, "decoder_start_token_id": 0,
        },
        "decoder": {
            "model_type": "llama", "hidden_size": HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "intermediate_size": 128, "max_position_embeddings": 64,
            "tie_word_embeddings": False,
        },
    }  # fmt: skip
    return transformers.AutoConfig.for_model(**(shared | kinds[family] | changes))


def tiny_model(family: str, nf4: bool = False, int8: bool = False, **changes: Any) -> nn.Module:
    """The same random weights at every call."""
    torch.manual_seed(7)
    config = tiny_config(family, **changes)
    model = read_last_token(auto_class(Family(family), config).from_config(config), Family(family))
    for name, parameter in model.named_parameters():
        # Larger than the initialiser's, so that two layers do something, and no bias or norm is at its neutral value.
        parameter.data.add_(torch.randn_like(parameter) * (0.02 if "embed" in name or "shared" in name else 0.1))
    if nf4 or int8:
        packing = Packing(kind=Quantisation.int8 if int8 else Quantisation.nf4)
        quantise(model, structure_of(model, Family(family)).linears, packing)
        settle(model)
    return model.eval()


def tiny_setting(model: nn.Module, family: str, **changes: Any) -> Setting:
    """The setting of a cell of 20 steps with short texts."""
    structure = structure_of(model, Family(family))
    return Setting(
        **({"family": Family(family), "structure": structure, "total_steps": 20, "max_length": TEXT} | changes)
    )


def tiny_batch(family: str, seed: int = 0, size: int = 4, has_head: bool = False) -> dict[str, torch.Tensor]:
    """Texts of two lengths, padded on the right; labels that can be learned by heart."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, VOCABULARY, (size, TEXT), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    ids[mask == 0] = 0
    labels = {
        "encoder": torch.arange(size) % 2,
        "encoder_decoder": torch.randint(3, VOCABULARY, (size, 5), generator=generator),
        "decoder": torch.where(mask == 1, ids, -100),
    }["encoder" if has_head else family]
    if family == "decoder" and not has_head:
        labels[:, 0] = -100  # no model predicts its first token
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def logits_of(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """In evaluation mode, without gradients, at real tokens; what a prompt adds in front is cut off."""
    model.eval()
    with torch.no_grad():
        logits = model(**batch).logits
    if batch["labels"].shape != batch["input_ids"].shape:
        return logits
    logits = logits[:, -TEXT:]
    return logits[batch["attention_mask"] == 1]


def shrunk(settings: Any) -> Any:
    """A method's settings at tiny sizes, parts of a composition included."""
    if isinstance(settings, dict):
        return {
            key: SIZES[key] if key in SIZES and not isinstance(value, list | None) else shrunk(value)
            for key, value in settings.items()
        }
    return settings


def all_methods() -> list[str]:
    """Every YAML of `configs/method` that trains something."""
    with Configurations() as configurations:
        return [name for name in configurations.options("method") if name != "untuned"]


@cache
def settings_of(name: str) -> dict[str, Any]:
    """A method's settings at tiny sizes, composed as for the command line."""
    extra = ["peft.type=LORA", "peft.r=4"] if name == "peft/any" else []
    with Configurations() as configurations:
        settings: dict[str, Any] = shrunk(configurations.cell([f"method={name}", *extra]).config["method"])
    return settings


class Adapted:
    """A method applied to a tiny model, with its head trained as the runner does."""

    def __init__(
        self, settings: dict[str, Any], family: str, seed: int = 1, base: nn.Module | None = None, **setting: Any
    ) -> None:
        self.method, self.family = build(settings, Method), family
        quantisation = setting.setdefault("quantisation", self.method.load_options().quantisation)
        base = base or tiny_model(family, quantisation == Quantisation.nf4)
        self.setting = tiny_setting(base, family, **setting)
        self.method.check(self.setting)
        if self.setting.gradient_checkpointing:
            base.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
        torch.manual_seed(seed)
        self.model = self.method.apply(base, self.setting)
        train_head(self.model, self.setting.structure)

    def train(self, steps: int, rate: float = 1e-2, size: int = 4) -> list[float]:
        """The loop's order of hooks; one batch, again and again. Returns the losses."""
        batch = tiny_batch(self.family, size=size, has_head=bool(self.setting.structure.head))
        self.model.train()
        self.method.prepare(self.model, self.gradients)
        structure = self.setting.structure
        head = {name for name, _ in head_parameters(self.model, structure)}
        training = TrainingConfig(learning_rate=rate, weight_decay=0.1)
        optimiser = make_optimiser(self.model, self.method, head, training)
        losses = []
        for step in range(1, steps + 1):
            loss = self.model(**batch).loss
            loss.backward()
            losses.append(loss.item())
            self.method.on_gradients(self.model)
            optimiser.step()
            self.method.after_step(self.model, step)
            optimiser.zero_grad()
        return losses

    def gradients(self) -> Iterator[torch.Tensor]:
        """Three batches."""
        for seed in range(3):
            loss = self.model(**tiny_batch(self.family, seed, has_head=bool(self.setting.structure.head))).loss
            loss.backward()
            yield loss.detach()
            self.model.zero_grad()
