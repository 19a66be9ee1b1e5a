"""Every tuner of the installed peft library ends in a working step, or in the library's reason."""

import pytest
import torch

from bench.errors import UnsupportedError, UserError
from bench.methods.peft_any import TYPES
from tests.tiny import Adapted, settings_of


def adapted(family, **settings):
    return Adapted(settings_of("peft/any") | {"settings": settings}, family)


@pytest.mark.parametrize("family", ["encoder", "encoder_decoder", "decoder"])
@pytest.mark.parametrize("kind", sorted(TYPES))
def test_a_working_step_or_the_librarys_reason(kind, family):
    try:
        method = adapted(family, type=kind)
        before = {key: value.detach().clone() for key, value in method.model.named_parameters() if value.requires_grad}
        losses = method.train(2)
    except UserError as error:
        assert kind in str(error)  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert torch.isfinite(torch.tensor(losses)).all()
    assert any(not torch.equal(value, before[key]) for key, value in method.model.named_parameters() if key in before)


@pytest.mark.parametrize("kind", ["LORA", "LOHA", "LOKR", "IA3", "OFT", "VERA", "BOFT", "LN_TUNING", "PROMPT_TUNING"])
def test_well_known_ones_do_work(kind):
    adapted("encoder", type=kind).train(2)


def test_settings_reach_the_library():
    first, second = (adapted("encoder", type="LOHA", r=r) for r in (2, 4))
    count = first.method.trained_count
    head = 64 * 64 + 64 + 2 * 64 + 2
    assert 2 * (count(first.model) - head) == count(second.model) - head


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"type": "LOHAA"}, "did you mean LOHA"),
        ({"type": "LOHA", "rank": 4}, "unknown setting of peft.type=LOHA 'rank'"),
        ({"r": 4}, "needs peft.type"),
    ],
)
def test_mistakes_are_one_clear_line(settings, words):
    with pytest.raises(UserError, match=words) as caught:
        adapted("encoder", **settings)
    assert "\n" not in str(caught.value)


def test_the_command_lines_own_words(compose):
    cell = compose("method=peft/any", "peft.type=LOHA", "peft.r=8")
    assert cell.config["method"]["settings"] == {"type": "LOHA", "r": 8}
    other = compose("method=peft/any", "peft.type=LOHA", "peft.r=4")
    assert cell.id != other.id
    with pytest.raises(UserError, match="belongs to method=peft/any"):
        compose("method=lora", "peft.r=8")


def test_an_unsupported_pair_is_a_record(compose):
    from bench.records.schema import Status
    from bench.running.runner import run_cell

    record, path = run_cell(compose("method=peft/any", "peft.type=ADAPTION_PROMPT", "data.limit_train=32"))
    assert record.status == Status.unsupported
    assert "ADAPTION_PROMPT" in record.error.message
    assert path.is_file()


def test_refusals_name_the_type():
    with pytest.raises(UnsupportedError, match="ADAPTION_PROMPT on RobertaForSequenceClassification"):
        adapted("encoder", type="ADAPTION_PROMPT")
