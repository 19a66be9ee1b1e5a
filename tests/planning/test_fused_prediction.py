"""What the plan foretells of fused projections that a method takes apart."""

import pytest

from bench.planning.predict import predict
from tests.planning.real_step import RealTraining

SIZES = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 512,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "more"), [("qlora", ()), ("ia3", ()), ("ia3", ("model.quantisation=int8",))], ids=str
)
def test_a_prediction_is_within_one_percent_of_what_the_allocator_gave_out(compose, method, more):
    sizes = [f"model.architecture.{key}={value}" for key, value in SIZES.items()]
    cell = compose(
        "model=pythia_410m", "model.weights=random", *sizes, "task=miniature/mmlu", f"method={method}",
        "data.synthetic=true", "data.limit_train=128", "training.max_steps=20", "training.max_length=64", "device=cpu",
        *more,
    )  # fmt: skip
    training, foretold = RealTraining(cell), predict(cell, "cpu")
    assert foretold.peak == pytest.approx(training.allocator_peak(), rel=0.01)
    assert foretold.parameters.trainable == sum(p.numel() for p in training.model.parameters() if p.requires_grad)
