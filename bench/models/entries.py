"""How models of each type are built: where their parts are, as data. `bench.models.families` reads a model by them.

One entry serves all types whose classes have the same modules; names are paths below a block. To add a type whose
modules are those of an entry, add its name there; for one that is built otherwise, add an entry.
"""

from bench.configuration.schema import Family
from bench.models.roles import AttentionRoles, Entry, ExpertRoles, FeedForwardRoles, FusedOrder, Stack
from bench.models.structure import NormPlace

FIRST, SECOND = "input_layernorm", "post_attention_layernorm"
WIDENING = (("mlp.dense_h_to_4h",),)


def _attention(core: str, names: str, output: str, is_cross: bool = False) -> AttentionRoles:
    """Of separate projections, whose names in the attention itself are those of query, key and value."""
    query, key, value = (f"{core}.{name}" for name in names.split())
    return AttentionRoles(core, output, query, key, value, None, is_cross)


BERT = Stack(
    "encoder",
    "encoder.layer.{}",
    (_attention("attention.self", "query key value", "attention.output.dense"),),
    FeedForwardRoles(
        (("intermediate.dense",),), "output.dense", NormPlace.after_sum, "output.LayerNorm",
        result="output.dropout", branch="output", total="output.LayerNorm",
    ),
    ("attention.output.LayerNorm", "output.LayerNorm"),
)  # fmt: skip
DEBERTA_V2 = Stack(
    BERT.name, BERT.blocks,
    (_attention("attention.self", "query_proj key_proj value_proj", "attention.output.dense"),),
    BERT.feed_forward, BERT.norms,
)  # fmt: skip
MPNET = Stack(
    BERT.name, BERT.blocks, (_attention("attention.attn", "q k v", "attention.attn.o"),), BERT.feed_forward,
    ("attention.LayerNorm", "output.LayerNorm"),
)  # fmt: skip
DISTILBERT = Stack(
    "encoder",
    "transformer.layer.{}",
    (_attention("attention", "q_lin k_lin v_lin", "attention.out_lin"),),
    FeedForwardRoles(
        (("ffn.lin1",),), "ffn.lin2", NormPlace.after_sum, "output_layer_norm", result="ffn.dropout",
        total="output_layer_norm",
    ),
    ("sa_layer_norm", "output_layer_norm"),
)  # fmt: skip
ALBERT = Stack(  # groups of layers, each used several times: a block here is one that has weights of its own
    "encoder",
    "encoder.albert_layer_groups.{}.albert_layers.{}",
    (_attention("attention", "query key value", "attention.dense"),),
    FeedForwardRoles(
        (("ffn",),), "ffn_output", NormPlace.after_sum, "full_layer_layer_norm", total="full_layer_layer_norm"
    ),
    ("full_layer_layer_norm",),
)
MODERNBERT = Stack(
    "encoder",
    "layers.{}",
    (AttentionRoles("attn", "attn.Wo", fused="attn.Wqkv", order=FusedOrder.contiguous),),
    FeedForwardRoles((("mlp.Wi",),), "mlp.Wo", NormPlace.before, "mlp_norm", branch="mlp", total=""),
    ("attn_norm", "mlp_norm"),
)


def _by_head(core: str, key_heads: str | None = None) -> AttentionRoles:
    """Of one projection, which gives a head's queries, key and value side by side."""
    fused = f"{core}.query_key_value"
    return AttentionRoles(core, f"{core}.dense", fused=fused, order=FusedOrder.by_head, key_heads=key_heads)


def _t5(stack: str) -> Stack:
    attentions = [_attention("layer.0.SelfAttention", "q k v", "layer.0.SelfAttention.o")]
    if stack == "decoder":
        attentions.append(_attention("layer.1.EncDecAttention", "q k v", "layer.1.EncDecAttention.o", True))
    last = f"layer.{len(attentions)}"
    dense = f"{last}.DenseReluDense"
    return Stack(
        stack,
        f"{stack}.block.{{}}",
        tuple(attentions),
        FeedForwardRoles(
            ((f"{dense}.wi_0", f"{dense}.wi_1"), (f"{dense}.wi",)), f"{dense}.wo", NormPlace.before,
            f"{last}.layer_norm", result=f"{last}.dropout", branch=dense, total=last,
        ),
        tuple(f"layer.{number}.layer_norm" for number in range(len(attentions) + 1)),
    )  # fmt: skip


def _bart(stack: str, place: NormPlace) -> Stack:
    """BART and its kin, whose norms stand behind the sum, or with mBART before the branch."""
    attentions = [_attention("self_attn", "q_proj k_proj v_proj", "self_attn.out_proj")]
    if stack == "decoder":
        attentions.append(_attention("encoder_attn", "q_proj k_proj v_proj", "encoder_attn.out_proj", True))
    total = "final_layer_norm" if place == NormPlace.after_sum else ""
    return Stack(
        stack,
        f"{stack}.layers.{{}}",
        tuple(attentions),
        FeedForwardRoles((("fc1",),), "fc2", place, "final_layer_norm", total=total),
        ("self_attn_layer_norm", *(["encoder_attn_layer_norm"] if stack == "decoder" else []), "final_layer_norm"),
    )


def _opt(place: NormPlace) -> tuple[Stack, ...]:
    attention = _attention("self_attn", "q_proj k_proj v_proj", "self_attn.out_proj")
    total = "final_layer_norm" if place == NormPlace.after_sum else ""
    feed_forward = FeedForwardRoles((("fc1",),), "fc2", place, "final_layer_norm", total=total)
    norms = ("self_attn_layer_norm", "final_layer_norm")
    return (Stack("decoder", "decoder.layers.{}", (attention,), feed_forward, norms),)


def _neox(place: NormPlace, total: str | None) -> tuple[Stack, ...]:
    feed_forward = FeedForwardRoles(
        WIDENING, "mlp.dense_4h_to_h", place, SECOND, result="post_mlp_dropout", branch="mlp", total=total
    )
    return (Stack("decoder", "layers.{}", (_by_head("attention"),), feed_forward, (FIRST, SECOND)),)


def _llama(
    place: NormPlace, norm: str | None, *norms: str, any_norms: bool = False,
    inputs: tuple[tuple[str, ...], ...] = (("mlp.gate_proj", "mlp.up_proj"),), output: str = "mlp.down_proj",
    fused: bool = False, result: str | None = None,
) -> tuple[Stack, ...]:  # fmt: skip
    attention = _attention("self_attn", "q_proj k_proj v_proj", "self_attn.o_proj")
    if fused:
        attention = AttentionRoles(
            "self_attn",
            "self_attn.o_proj",
            fused="self_attn.qkv_proj",
            order=FusedOrder.contiguous,
            key_heads="num_key_value_heads",
        )
    feed_forward = FeedForwardRoles(inputs, output, place, norm, result=result, branch="mlp", total="")
    return (Stack("decoder", "layers.{}", (attention,), feed_forward, norms, any_norms),)


ENTRIES = (
    Entry("bert", Family.encoder, ("bert", "roberta", "xlm-roberta", "electra", "camembert", "mobilebert"), (BERT,)),
    Entry("deberta_v2", Family.encoder, ("deberta-v2",), (DEBERTA_V2,)),
    Entry("mpnet", Family.encoder, ("mpnet",), (MPNET,)),
    Entry("distilbert", Family.encoder, ("distilbert",), (DISTILBERT,)),
    Entry("albert", Family.encoder, ("albert",), (ALBERT,)),
    Entry("modernbert", Family.encoder, ("modernbert",), (MODERNBERT,)),
    Entry("t5", Family.encoder_decoder, ("t5", "mt5", "umt5"), (_t5("encoder"), _t5("decoder")), has_positions=False),
    Entry(
        "bart", Family.encoder_decoder, ("bart", "marian"),
        (_bart("encoder", NormPlace.after_sum), _bart("decoder", NormPlace.after_sum)),
    ),
    Entry(
        "mbart", Family.encoder_decoder, ("mbart", "m2m_100", "pegasus"),
        (_bart("encoder", NormPlace.before), _bart("decoder", NormPlace.before)),
    ),
    Entry(
        "llama", Family.decoder, ("llama", "mistral", "qwen2", "qwen3", "gemma", "smollm3", "granite"),
        _llama(NormPlace.before, SECOND, FIRST, SECOND),
    ),
    Entry(
        "gemma2", Family.decoder, ("gemma2", "gemma3_text"),
        _llama(
            NormPlace.around, "pre_feedforward_layernorm", FIRST, SECOND, "pre_feedforward_layernorm",
            "post_feedforward_layernorm",
        ),
    ),
    Entry(
        "seed_oss_norms", Family.decoder, (),
        _llama(NormPlace.around, SECOND, FIRST, SECOND, "post_norm1", "post_norm2"),
    ),
    Entry(
        "olmo2", Family.decoder, ("olmo2", "olmo3", "exaone4"),
        _llama(NormPlace.after_branch, None, SECOND, "post_feedforward_layernorm"),
    ),
    Entry(
        "phi3", Family.decoder, ("phi3",),
        _llama(
            NormPlace.before, SECOND, FIRST, SECOND, inputs=(("mlp.gate_up_proj",),), fused=True,
            result="resid_mlp_dropout",
        ),
    ),
    Entry(
        "phi", Family.decoder, ("phi",),
        (
            Stack(
                "decoder", "layers.{}", (_attention("self_attn", "q_proj k_proj v_proj", "self_attn.dense"),),
                FeedForwardRoles((("mlp.fc1",),), "mlp.fc2", NormPlace.beside, FIRST, branch="mlp"), (FIRST,),
            ),
        ),
    ),
    Entry(
        "gpt_neox", Family.decoder, ("gpt_neox",), _neox(NormPlace.beside, None), when=("use_parallel_residual", True)
    ),
    Entry(
        "gpt_neox_in_turn", Family.decoder, ("gpt_neox",), _neox(NormPlace.before, ""),
        when=("use_parallel_residual", False),
    ),
    Entry(
        "falcon", Family.decoder, ("falcon",),
        (
            Stack(
                "decoder", "h.{}", (_by_head("self_attention", "num_kv_heads"),),
                FeedForwardRoles(WIDENING, "mlp.dense_4h_to_h", NormPlace.beside, FIRST, branch="mlp"), (FIRST,),
            ),
        ),
    ),
    Entry(
        "bloom", Family.decoder, ("bloom",),
        (
            Stack(
                "decoder", "h.{}", (_by_head("self_attention"),),
                FeedForwardRoles(WIDENING, "mlp.dense_4h_to_h", NormPlace.before, SECOND, total="mlp"), (FIRST, SECOND),
            ),
        ),
        has_positions=False,
    ),
    Entry("opt", Family.decoder, ("opt",), _opt(NormPlace.before), when=("do_layer_norm_before", True)),
    Entry("opt_350m", Family.decoder, ("opt",), _opt(NormPlace.after_sum), when=("do_layer_norm_before", False)),
    Entry(
        "gpt2", Family.decoder, ("gpt2",),
        (
            Stack(
                "decoder", "h.{}",
                (AttentionRoles("attn", "attn.c_proj", fused="attn.c_attn", order=FusedOrder.contiguous),),
                FeedForwardRoles(
                    (("mlp.c_fc",),), "mlp.c_proj", NormPlace.before, "ln_2", result="mlp.dropout", branch="mlp",
                    total="",
                ),
                ("ln_1", "ln_2"),
            ),
        ),
        transposed=True,
    ),
    Entry(
        "mixtral", Family.decoder, ("mixtral", "qwen3_moe"),
        (
            Stack(
                "decoder", "layers.{}", (_attention("self_attn", "q_proj k_proj v_proj", "self_attn.o_proj"),),
                None, (FIRST, SECOND), experts=ExpertRoles("mlp.experts.gate_up_proj", "mlp.experts.down_proj"),
            ),
        ),
    ),
    # The modules of LLaMA with other norms: read, but nobody knows where its norms stand.
    Entry("llama_with_other_norms", Family.decoder, (), _llama(NormPlace.unknown, None, any_norms=True)),
)  # fmt: skip
