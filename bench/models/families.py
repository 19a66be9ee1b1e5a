"""The readers of a model's structure: one per family, from the modules that its classes have in common."""

from collections.abc import Callable
from typing import Any

from torch import nn

from bench.configuration.schema import Family
from bench.errors import UnsupportedError, UserError
from bench.models.structure import Attention, Block, FeedForward, NormPlace, Structure

# The norms among a decoder block's children, by name, as the classes of transformers have them: where they stand, and
# which of them the residual stream goes through on its way into the feed-forward. Any other set is read as unknown.
DECODER_NORMS: dict[frozenset[str], tuple[NormPlace, str | None]] = {
    frozenset({"input_layernorm", "post_attention_layernorm"}): (NormPlace.before, "post_attention_layernorm"),
    frozenset(
        {"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"}
    ): (NormPlace.around, "pre_feedforward_layernorm"),
    frozenset({"input_layernorm", "post_attention_layernorm", "post_norm1", "post_norm2"}): (
        NormPlace.around,
        "post_attention_layernorm",
    ),
    frozenset({"post_attention_layernorm", "post_feedforward_layernorm"}): (NormPlace.after_branch, None),
}


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
            result=_first(model, f"{path}.output.dropout", f"{path}.output.dense"),
            norm=_require(model, f"{path}.output.LayerNorm"),
            branch=_require(model, f"{path}.output"),
            total=_require(model, f"{path}.output.LayerNorm"),
            place=NormPlace.after_sum,
            norms=("attention.output.LayerNorm", "output.LayerNorm"),
        )
        blocks.append(Block(path, (attention,), feed_forward))
    head = tuple(name for name, module in model.named_children() if module is not base and list(module.parameters()))
    config = model.config
    # RoBERTa counts positions from padding_idx + 1, so two of its positions are never used; BERT counts from zero.
    embeddings = base.embeddings.position_embeddings
    unused = 0 if embeddings.padding_idx is None else embeddings.padding_idx + 1
    positions = config.max_position_embeddings - unused
    return Structure(Family.encoder, tuple(blocks), head, _hidden(model, blocks), _width(model, blocks), positions)


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
                result=_first(model, f"{total}.dropout", f"{dense}.wo"),
                norm=_require(model, f"{total}.layer_norm"),
                branch=dense,
                total=total,
                place=NormPlace.before,
                norms=tuple(f"layer.{number}.layer_norm" for number in range(len(sites) + 1)),
            )
            blocks.append(Block(path, attentions, feed_forward))
    return Structure(
        Family.encoder_decoder, tuple(blocks), (), _hidden(model, blocks), _width(model, blocks), max_positions=None
    )


def read_decoder(model: Any) -> Structure:
    """LLaMA, and what is built like it: Mistral, Qwen, SmolLM; with norms elsewhere Gemma 2 and 3, OLMo 2."""
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
        norms = _norms(model, path)
        place, norm = DECODER_NORMS.get(frozenset(norms), (NormPlace.unknown, None))
        feed_forward = FeedForward(
            inputs=(_require(model, f"{path}.mlp.gate_proj"), _require(model, f"{path}.mlp.up_proj")),
            output=_require(model, f"{path}.mlp.down_proj"),
            result=f"{path}.mlp.down_proj",
            norm=None if norm is None else f"{path}.{norm}",
            branch=_require(model, f"{path}.mlp"),
            total=path,
            place=place,
            norms=norms,
        )
        blocks.append(Block(path, (attention,), feed_forward))
    config = model.config
    positions = config.max_position_embeddings
    return Structure(Family.decoder, tuple(blocks), (), _hidden(model, blocks), _width(model, blocks), positions)


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


def _first(model: nn.Module, wanted: str, otherwise: str) -> str:
    """The path `wanted` if a module is there."""
    try:
        return _require(model, wanted)
    except AttributeError:
        return _require(model, otherwise)


def _norms(model: nn.Module, path: str) -> tuple[str, ...]:
    """Names of the norms among the children of the block at `path`; those inside attention and feed-forward are not."""
    children = model.get_submodule(path).named_children()
    return tuple(
        name
        for name, module in children
        if "norm" in f"{name} {type(module).__name__}".lower() and not isinstance(module, nn.Identity)
    )


def _length(model: nn.Module, path: str) -> int:
    """How many layers stand in the list at `path`."""
    length = sum(1 for _ in model.get_submodule(path).children())
    if not length:
        raise UserError(f"{type(model).__name__} has no layers in {path}; its configuration says so")
    return length


def _path_of(model: nn.Module, wanted: object) -> str:
    found: str = next(path for path, module in model.named_modules() if module is wanted)
    return found


def _inside(base: str, path: str) -> str:
    return f"{base}.{path}" if base else path


def _width(model: nn.Module, blocks: list[Block]) -> int:
    """Width of all heads of the first attention together."""
    return _outputs(model, blocks[0].attentions[0].query)


def _hidden(model: nn.Module, blocks: list[Block]) -> int:
    """Width of what the first feed-forward gives: MobileBERT's blocks are narrower than its configuration says."""
    return _outputs(model, blocks[0].feed_forward.output)


def _outputs(model: nn.Module, path: str) -> int:
    width = model.get_submodule(path).out_features
    assert isinstance(width, int)
    return width
