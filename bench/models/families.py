"""The readers of a model's structure: one per family, from the modules that its classes have in common."""

from collections.abc import Callable
from typing import Any

from torch import nn

from bench.configuration.cell import Family
from bench.errors import UnsupportedError
from bench.models.structure import Attention, Block, FeedForward, Structure


def read_encoder(model: Any) -> Structure:
    """RoBERTa, and what is built like it: BERT, XLM-R."""
    base = model.base_model
    layers = _inside(_path_of(model, base), "encoder.layer")
    blocks = []
    for index in range(_length(model, layers)):
        path = f"{layers}.{index}"
        attention = Attention(
            core=_require(model, f"{path}.attention.self"),
            query=_require(model, f"{path}.attention.self.query"),
            key=_require(model, f"{path}.attention.self.key"),
            value=_require(model, f"{path}.attention.self.value"),
            output=_require(model, f"{path}.attention.output.dense"),
            stack="encoder",
        )
        feed_forward = FeedForward(
            inputs=(_require(model, f"{path}.intermediate.dense"),),
            output=_require(model, f"{path}.output.dense"),
            norm=_require(model, f"{path}.output.LayerNorm"),
            branch=_require(model, f"{path}.output"),
            total=_require(model, f"{path}.output.LayerNorm"),
            is_post_norm=True,
        )
        blocks.append(Block(path, (attention,), feed_forward))
    head = tuple(name for name, module in model.named_children() if module is not base and list(module.parameters()))
    config = model.config
    # RoBERTa counts positions from padding_idx + 1, so two of its positions are never used; BERT counts from zero.
    embeddings = base.embeddings.position_embeddings
    unused = 0 if embeddings.padding_idx is None else embeddings.padding_idx + 1
    positions = config.max_position_embeddings - unused
    return Structure(Family.encoder, tuple(blocks), head, config.hidden_size, _width(model, blocks), positions)


def read_encoder_decoder(model: Any) -> Structure:
    """T5, and what is built like it: mT5, FLAN-T5 (gated feed-forward included)."""
    base = _path_of(model, model.base_model)
    blocks = []
    for stack in ("encoder", "decoder"):
        stacked = _inside(base, f"{stack}.block")
        for index in range(_length(model, stacked)):
            path = f"{stacked}.{index}"
            sites = [(f"{path}.layer.0.SelfAttention", False)]
            if stack == "decoder":
                sites.append((f"{path}.layer.1.EncDecAttention", True))
            attentions = tuple(
                Attention(
                    core=_require(model, site),
                    query=_require(model, f"{site}.q"),
                    key=_require(model, f"{site}.k"),
                    value=_require(model, f"{site}.v"),
                    output=_require(model, f"{site}.o"),
                    stack=stack,
                    is_cross=is_cross,
                )
                for site, is_cross in sites
            )
            total = f"{path}.layer.{len(sites)}"
            dense = _require(model, f"{total}.DenseReluDense")
            gated = hasattr(model.get_submodule(dense), "wi_0")
            feed_forward = FeedForward(
                inputs=tuple(_require(model, f"{dense}.{name}") for name in (("wi_0", "wi_1") if gated else ("wi",))),
                output=_require(model, f"{dense}.wo"),
                norm=_require(model, f"{total}.layer_norm"),
                branch=dense,
                total=total,
                is_post_norm=False,
            )
            blocks.append(Block(path, attentions, feed_forward))
    return Structure(
        Family.encoder_decoder, tuple(blocks), (), model.config.d_model, _width(model, blocks), max_positions=None
    )


def read_decoder(model: Any) -> Structure:
    """LLaMA, and what is built like it: Mistral, Qwen, SmolLM."""
    layers = _inside(_path_of(model, model.base_model), "layers")
    blocks = []
    for index in range(_length(model, layers)):
        path = f"{layers}.{index}"
        attention = Attention(
            core=_require(model, f"{path}.self_attn"),
            query=_require(model, f"{path}.self_attn.q_proj"),
            key=_require(model, f"{path}.self_attn.k_proj"),
            value=_require(model, f"{path}.self_attn.v_proj"),
            output=_require(model, f"{path}.self_attn.o_proj"),
            stack="decoder",
        )
        feed_forward = FeedForward(
            inputs=(_require(model, f"{path}.mlp.gate_proj"), _require(model, f"{path}.mlp.up_proj")),
            output=_require(model, f"{path}.mlp.down_proj"),
            norm=_require(model, f"{path}.post_attention_layernorm"),
            branch=_require(model, f"{path}.mlp"),
            total=path,
            is_post_norm=False,
        )
        blocks.append(Block(path, (attention,), feed_forward))
    config = model.config
    positions = config.max_position_embeddings
    return Structure(Family.decoder, tuple(blocks), (), config.hidden_size, _width(model, blocks), positions)


# Of a pretrained model; an attribute that it lacks is what `structure_of` reports.
READERS: dict[Family, Callable[[Any], Structure]] = {
    Family.encoder: read_encoder,
    Family.encoder_decoder: read_encoder_decoder,
    Family.decoder: read_decoder,
}


def structure_of(model: nn.Module, family: Family) -> Structure:
    """Read the structure of `model`, which belongs to `family`.

    Raises:
        UnsupportedError: the class is built in a way that the family's reader does not know.
    """
    try:
        return READERS[family](model)
    except AttributeError as error:
        raise UnsupportedError(
            f"{type(model).__name__} has no structure known for the family '{family}': {error}; "
            f"see READERS in bench.models.families"
        ) from error


def _require(model: nn.Module, path: str) -> str:
    """Return `path` if the model has a module there; nn.Module raises an AttributeError that names what is missing."""
    model.get_submodule(path)
    return path


def _length(model: nn.Module, path: str) -> int:
    """How many layers stand in the list at `path`."""
    return sum(1 for _ in model.get_submodule(path).children())


def _path_of(model: nn.Module, wanted: object) -> str:
    found: str = next(path for path, module in model.named_modules() if module is wanted)
    return found


def _inside(base: str, path: str) -> str:
    return f"{base}.{path}" if base else path


def _width(model: nn.Module, blocks: list[Block]) -> int:
    """Width of all heads of the first attention together."""
    width = model.get_submodule(blocks[0].attentions[0].query).out_features
    assert isinstance(width, int)
    return width
