"""MMLU scored fast: the prefix run once, and every score what the whole prompt alone would give."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import AutoModelForCausalLM, MistralConfig

from bench.data.example import Example
from bench.evaluation.answers import Answers
from bench.evaluation.inference import Inference
from bench.evaluation.multiple_choice import choose, shared_prompts, whole_prompts
from bench.evaluation.shared_prefix import obstacle, prompt_groups

ANSWERS = Answers(0, [], [[5], [6], [7], [8]])
QUANTISED = 1e-3  # its arithmetic is bf16; 1e-4 is asked of fp32
SMALL = {"lora": ["method.r=4"], "qlora": ["method.r=4"], "adapter_s": ["method.bottleneck=8"],
         "adapter_parallel": ["method.bottleneck=8"]}  # fmt: skip
METHODS = [
    "full", "lora", "adalora", "ia3", "bitfit", "prompt_tuning", "prefix_tuning", "adapter_s", "adapter_pfeiffer",
    "adapter_parallel", "mam", "child_tuning_d", "propelt_adapter", "propelt_prefix", "propelt_lora",
]  # fmt: skip


def prompts() -> list[Example]:
    """Three groups with prefixes and ends of different lengths."""
    generator = torch.Generator().manual_seed(1)

    def tokens(count: int) -> list[int]:
        found: list[int] = torch.randint(3, 90, (count,), generator=generator).tolist()
        return found

    made: list[Example] = []
    for group in range(3):
        prefix = tokens(40 + group)
        made += [{"input_ids": prefix + tokens(3 + index % 7), "group": group} for index in range(9)]
    return made


def equal_to_alone(model: nn.Module, run: Inference, tolerance: float = 1e-4) -> None:
    examples = prompts()
    shared = shared_prompts(model, examples, run, ANSWERS).log_softmax(dim=1)
    alone = torch.cat([whole_prompts(model, [example], run, ANSWERS) for example in examples]).log_softmax(dim=1)
    assert torch.equal(shared.argmax(dim=1), alone.argmax(dim=1))
    torch.testing.assert_close(shared, alone, rtol=0, atol=tolerance)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_scores_as_with_whole_prompts(
    method: str, adapted: Callable[..., nn.Module], inference: Callable[..., Inference]
) -> None:
    model = adapted(method, *SMALL.get(method, []))
    assert obstacle(model) is None
    equal_to_alone(model, inference(4, 300))


@pytest.mark.parametrize("method", ["qlora", "prompt_tuning"])
def test_a_quantised_base_too(
    method: str, adapted: Callable[..., nn.Module], inference: Callable[..., Inference]
) -> None:
    equal_to_alone(adapted(method, *SMALL.get(method, []), nf4=True), inference(4, 300), QUANTISED)


@pytest.mark.parametrize("method", ["full", "prompt_tuning", "prefix_tuning", "mam"])
def test_eager_attention_too(
    method: str, adapted: Callable[..., nn.Module], inference: Callable[..., Inference]
) -> None:
    equal_to_alone(adapted(method, attn_implementation="eager"), inference(4, 300))


@pytest.mark.parametrize(("batch_size", "tokens"), [(1, None), (5, None), (64, None), (64, 100), (64, 1)])
def test_scores_do_not_depend_on_the_batch(
    batch_size: int, tokens: int | None, adapted: Callable[..., nn.Module], inference: Callable[..., Inference]
) -> None:
    model = adapted("prompt_tuning")
    one = shared_prompts(model, prompts(), inference(1), ANSWERS)
    torch.testing.assert_close(
        shared_prompts(model, prompts(), inference(batch_size, tokens), ANSWERS), one, rtol=0, atol=1e-5
    )


def test_the_prefix_is_run_once(adapted: Callable[..., nn.Module], inference: Callable[..., Inference]) -> None:
    model = adapted("full")
    seen: list[tuple[int, ...]] = []
    model.get_input_embeddings().register_forward_pre_hook(lambda module, inputs: seen.append(tuple(inputs[0].shape)))  # type: ignore[operator]
    choose(model, prompts(), inference(64), ANSWERS)
    assert [shape for shape in seen if shape[1] >= 40] == [(1, 40), (1, 41), (1, 42)]


def test_the_head_computes_one_position_only(
    adapted: Callable[..., nn.Module], inference: Callable[..., Inference]
) -> None:
    model = adapted("full")
    lengths: list[int] = []
    model.get_output_embeddings().register_forward_hook(lambda module, inputs, output: lengths.append(output.shape[1]))  # type: ignore[operator]
    choose(model, prompts(), inference(64), ANSWERS)
    assert set(lengths) == {1}


def test_a_model_that_forgets_is_run_with_whole_prompts_and_says_so(inference: Callable[..., Inference]) -> None:
    config = MistralConfig(
        vocab_size=100, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=16,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config).eval()
    run = inference(4)
    choices = choose(model, prompts(), run, ANSWERS)
    assert "run whole" in run.notes["prompts"]
    assert "Sliding" in run.notes["prompts"]
    assert choices == whole_prompts(model, prompts(), run, ANSWERS).argmax(dim=1).tolist()


def test_prompts_without_a_common_beginning(
    adapted: Callable[..., nn.Module], inference: Callable[..., Inference]
) -> None:
    examples: list[Example] = [{"input_ids": [3, 4], "group": 0}, {"input_ids": [9], "group": 0}]
    model, run = adapted("full"), inference(4)
    shared = shared_prompts(model, examples, run, ANSWERS)
    torch.testing.assert_close(shared, whole_prompts(model, examples, run, ANSWERS))


@given(st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(0, 1), min_size=1, max_size=6)), min_size=1))
def test_groups_share_the_longest_beginning_and_leave_a_token(drawn: list[tuple[int, list[int]]]) -> None:
    tokens, groups = [tokens for _, tokens in drawn], [group for group, _ in drawn]
    found = list(prompt_groups(tokens, groups))
    assert sorted(index for group in found for index in group.members) == list(range(len(drawn)))
    for group in found:
        members = [tokens[index] for index in group.members]
        length = len(group.prefix)
        assert all(member[:length] == group.prefix and len(member) > length for member in members)
        longer = {tuple(member[: length + 1]) for member in members}
        assert len(longer) > 1 or min(len(member) for member in members) == length + 1
