"""One forward pass of a model without values, written down as a graph: what was made of what, and in which module.

transformers sends attention through its attention interface; a function of our own is registered there, which notes
the module that calls it, its queries, keys and values. Models that spell attention out are read by their softmax, see
`bench.models.spelt_attention`. Linear layers, norms and dropouts are one node each, whatever they compute inside.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers import AttentionInterface
from transformers.pytorch_utils import Conv1D

RECORDING = "bench_recording"  # the name of our function in the library's registry
LINEARS = (nn.Linear, Conv1D)
SHAPE = (2, 7)  # texts and tokens; the values do not matter
ATTRIBUTE = "_bench_node"  # of a tensor: the node that made it
# What has no answer without values: a truth is false, a number nought, and what is looked for is found once.
FALSE = ("__bool__", "__contains__", "is_nonzero")
NOUGHT = ("item", "__int__", "__index__")


@dataclass(eq=False)
class Node:
    """One tensor.

    Attributes:
        kind: "linear", "norm", "dropout": the result of a module; "attention"; "raw": of matrices that are no linear
            layer's (embeddings, experts); "op": of anything else.
        name: the module's path, that of the module that attends; of an operation, its name in torch.
        parents: what it was made of, in the order of the arguments; what depends on no input is none of them.
        home: path of the module in which it was made.
        number: in the order of the forward pass.
        children: what was made of it.
    """

    kind: str
    name: str
    parents: tuple["Node", ...]
    home: str
    number: int
    children: list["Node"] = field(default_factory=list)


@dataclass(frozen=True)
class Call:
    """A module was called: its path, the tensors it was given, in the order of the arguments, and its first result."""

    path: str
    inputs: tuple[Node, ...]
    output: Node | None


@dataclass
class Trace:
    """What happened in a forward pass: nodes, and calls of modules that consist of others."""

    nodes: list[Node] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def add(self, kind: str, name: str, parents: tuple[Node, ...], home: str) -> Node:
        """Write a node down."""
        node = Node(kind, name, parents, home, len(self.nodes))
        self.nodes.append(node)
        for parent in parents:
            parent.children.append(node)
        return node


def traced(kind: Any, architecture: Any, attention: str = RECORDING) -> tuple[nn.Module, Trace]:
    """Run a model without values, on the meta device, with sizes and layers as they are.

    Args:
        kind: its class, of transformers.
        architecture: its transformers configuration, which stays as it is.
        attention: `RECORDING`, or "eager" for classes that do not attend through the interface.

    Returns:
        The model, and what happened in it.

    Raises:
        Exception: whatever a model raises that cannot do without values.
    """
    config = copy.deepcopy(architecture)
    config.use_cache = False
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    # The library's faster ways through experts want types and values of their own.
    experts = {"experts_implementation": "eager"} if kind._can_set_experts_implementation() else {}
    AttentionInterface.register(RECORDING, _unrecorded)
    with torch.device("meta"):
        options = {"attn_implementation": attention, "dtype": torch.float32, **experts}
        empty: nn.Module = kind._from_config(config, **options).eval()
        inputs = {"input_ids": torch.ones(SHAPE, dtype=torch.long)}
        if config.is_encoder_decoder:
            inputs["decoder_input_ids"] = inputs["input_ids"]
        recorder = _Recorder(empty)
        with torch.no_grad(), recorder.hooked(), recorder:
            empty(**inputs)
    return empty, recorder.trace


class _Recorder(TorchFunctionMode):
    """Writes down every function of torch that is called outside of linear layers, norms and dropouts."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.trace = Trace()
        self._model = model
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._inside = [""]  # the modules that are being called
        self._closed = 0  # of those, linear layers, norms and dropouts

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        if name in FALSE or name in NOUGHT:
            return False if name in FALSE else 0
        if name == "nonzero" or (name == "where" and len(args) == 1 and not kwargs):
            found = torch.zeros((1, args[0].ndim), dtype=torch.long, device="meta")
            return found if name == "nonzero" else found.unbind(1)
        if name in ("__getitem__", "__setitem__") and isinstance(args[1], Tensor) and args[1].ndim == 0:
            args = (args[0], 0, *args[2:])
        result = function(*args, **kwargs)
        if self._closed:
            return result
        given = list(_tensors((args, kwargs)))
        parents = tuple(node for value in given if (node := node_of(value)) is not None)
        is_raw = any(isinstance(value, nn.Parameter) and value.ndim > 1 for value in given)
        if not parents and not is_raw:
            return result
        in_place = (name.endswith("_") and not name.endswith("__")) or name.startswith("__i") or name == "__setitem__"
        for made in [args[0]] if name == "__setitem__" else _tensors(result):
            if in_place or not any(made is value for value in given):
                if name == "scaled_dot_product_attention" and len(parents) == 3:
                    self._note(made, "attention", self._inside[-1], parents)
                else:
                    self._note(made, "raw" if is_raw else "op", name, parents)
        return result

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """While it lasts, modules and the attention function tell what they do."""
        for path, module in self._model.named_modules():
            kind = _kind(path, module)
            module.register_forward_pre_hook(self._before(path, kind), with_kwargs=True)
            module.register_forward_hook(self._after(path, kind), with_kwargs=True)
        AttentionInterface.register(RECORDING, self._attend)
        try:
            yield
        finally:
            AttentionInterface.register(RECORDING, _unrecorded)

    def _attend(self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Any:
        """In place of attention: batch × heads × tokens × width each; the result is batch × tokens × heads × width."""
        made = torch.empty(query.shape[0], query.shape[2], query.shape[1], value.shape[-1], device="meta")
        parents = [node_of(tensor) for tensor in (query, key, value)]
        self._note(made, "attention", self._paths[id(module)], tuple(node for node in parents if node is not None))
        return made, None

    def _note(self, made: Tensor, kind: str, name: str, parents: tuple[Node, ...]) -> None:
        setattr(made, ATTRIBUTE, self.trace.add(kind, name, parents, self._inside[-1]))

    def _before(self, path: str, kind: str | None) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            self._closed += kind is not None
            if kind is None:
                self._inside.append(path)
                module.__dict__.setdefault(ATTRIBUTE, []).append(_nodes((args, kwargs)))

        return hook

    def _after(self, path: str, kind: str | None) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any, result: Any) -> Any:
            made = next(_tensors(result), None)
            if kind is None:
                self._inside.pop()
                output = None if made is None else node_of(made)
                self.trace.calls.append(Call(path, module.__dict__[ATTRIBUTE].pop(), output))
                return None
            # A tensor of its own also where nothing is done, as by a dropout; made while nothing is written down.
            made = None if made is None or self._closed > 1 else torch.empty_like(made)
            self._closed -= 1
            if made is None:
                return None
            self._note(made, kind, path, _nodes((args, kwargs)))
            return made if isinstance(result, Tensor) else None

        return hook


def node_of(tensor: Any) -> Node | None:
    """What made a tensor; None where it depends on no input, or was not noted."""
    found: Node | None = getattr(tensor, ATTRIBUTE, None)
    return found


def is_norm(path: str, module: nn.Module) -> bool:
    """Whether a module is a norm: by its name or its class's, and without matrices."""
    named = "norm" in f"{path.rpartition('.')[2]} {type(module).__name__}".lower()
    is_leaf = next(module.children(), None) is None and not isinstance(module, nn.Identity)
    return named and is_leaf and all(parameter.ndim < 2 for parameter in module.parameters())


def _kind(path: str, module: nn.Module) -> str | None:
    if isinstance(module, LINEARS):
        return "linear"
    if is_norm(path, module):
        return "norm"
    return "dropout" if "dropout" in type(module).__name__.lower() else None


def _unrecorded(*_: Any, **__: Any) -> Any:
    raise RuntimeError("the recording attention function is for reading a model's structure only")


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, dict):
        for value in values.values():
            yield from _tensors(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)


def _nodes(values: Any) -> tuple[Node, ...]:
    return tuple(node for tensor in _tensors(values) if (node := node_of(tensor)) is not None)
