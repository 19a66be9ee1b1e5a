"""What is kept of an adapted model: to use it on a fresh base, and to go on training it."""

from torch import Tensor, nn

from bench.errors import UserError
from bench.methods.folding import foldables, training_only
from bench.methods.trainable import copy_into, trainable_parameters


class States:
    """A part of `bench.methods.base.Method`."""

    def stored_state(self, model: nn.Module) -> dict[str, Tensor]:
        """What has to be kept to use the trained model on a fresh base: what was trained, folded where it can be."""
        spare = training_only(model)
        state = {name: p.detach() for name, p in trainable_parameters(model) if id(p) not in spare}
        for path, module in foldables(model):
            state |= {f"{path}.{name}": tensor for name, tensor in module.folded().items()}
        return self.pack(model, state)

    def load_stored_state(self, model: nn.Module, state: dict[str, Tensor]) -> None:
        """Put a `stored_state` into a freshly adapted model, which is then ready for use, not for more training.

        Raises:
            UserError: the state does not belong to this model and method.
        """
        state = self.unpack(model, state)
        spare = training_only(model)
        kept = {name: parameter for name, parameter in trainable_parameters(model) if id(parameter) not in spare}
        folded = {path: tuple(module.folded()) for path, module in foldables(model)}
        names = {f"{path}.{name}" for path, own in folded.items() for name in own}
        copy_into(kept, {name: tensor for name, tensor in state.items() if name not in names})
        if missing := sorted(names - state.keys()):
            raise UserError(f"the saved state does not fit the model; missing: {missing[:3]}")
        for path, own in folded.items():
            module = model.get_submodule(path)
            module.load_folded({name: state[f"{path}.{name}"] for name in own})  # type: ignore[operator]

    def pack(self, model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give tensors of a `stored_state` the form in which this method keeps them. Default: as they are."""
        return state

    def unpack(self, model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Undo `pack`."""
        return state

    def checkpoint_state(self, model: nn.Module) -> dict[str, Tensor]:
        """What has to be kept to go on training: all trained parameters, and the method's `extra_state`."""
        return {name: p.detach() for name, p in trainable_parameters(model)} | self.extra_state(model)

    def load_checkpoint_state(self, model: nn.Module, state: dict[str, Tensor]) -> None:
        """Put a `checkpoint_state` into a freshly adapted model, in place of `prepare`."""
        trained = dict(trainable_parameters(model))
        copy_into(trained, {name: tensor for name, tensor in state.items() if name in trained})
        self.load_extra_state(model, {name: tensor for name, tensor in state.items() if name not in trained})

    def extra_state(self, model: nn.Module) -> dict[str, Tensor]:
        """What training goes on from besides parameters: what `prepare` found, what hooks remember. Default: nothing.

        Names are the method's own, different from any parameter's; dtypes are those that safetensors knows.
        """
        return {}

    def load_extra_state(self, model: nn.Module, state: dict[str, Tensor]) -> None:
        """Put an `extra_state` back; `state` may hold names of other methods too."""
