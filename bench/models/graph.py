"""Questions to the graph of a forward pass (`bench.models.tracing`): what was made of what.

Attention that a model spells out itself is found by its softmax: what stands between the product of queries and keys
and the product with the values.
"""

from collections.abc import Callable, Iterable, Iterator

from bench.models.tracing import Node, Trace

MATMULS = ("matmul", "__matmul__", "__rmatmul__", "bmm", "baddbmm", "einsum")
ADDITIONS = ("add", "__add__", "__radd__", "add_", "__iadd__")
ENDS = ("linear", "raw", "attention")  # where looking back, and forward, comes to an end


class AmbiguousError(Exception):
    """What was seen has no meaning, or more than one."""


def taken(node: Node) -> Node:
    """What a module took in.

    Raises:
        AmbiguousError: nothing that was made of the input: a table of positions, constants.
    """
    if not node.parents:
        raise AmbiguousError(f"{node.name} takes in nothing that was made of the input")
    return node.parents[0]


def sources(node: Node) -> list[Node]:
    """The nearest results of linear layers, attentions and other matrices that a tensor was made of, in order.

    Itself where it is one.
    """
    return [one for one in _behind(node) if one.kind in ENDS]


def consumers(node: Node) -> list[Node]:
    """The linear layers, attentions and other products with matrices that a tensor goes into, the nearest ones."""
    return [one for one in _reached(node.children, lambda here: here.children) if one.kind in ENDS]


def plain(node: Node) -> Node:
    """The tensor before it was reshaped, scaled or copied: before all that is done to it alone, but by a module."""
    while node.kind == "op" and len(set(node.parents)) == 1:
        node = node.parents[0]
    return node


def is_sum(node: Node) -> bool:
    """Whether a tensor is the sum of two that depend on the input."""
    return node.kind == "op" and node.name in ADDITIONS and len(set(node.parents)) == 2


def note_spelt_attentions(trace: Trace) -> None:
    """Make the products with the values that belong to a softmax into attentions, as the interface would note them."""
    for softmax in [node for node in trace.nodes if node.kind == "op" and node.name == "softmax"]:
        product = next(_forward_products(softmax), None)
        products = _back_to_products(softmax)
        scores = [node for node in products if _same_stream(node)] or (products if len(products) == 1 else [])
        if product is None or not scores:
            continue  # a router's, or a head's
        values = [node for node in product.parents if softmax not in _behind(node)]
        query, key = scores[0].parents[-2:]
        if len(values) == 1:
            product.kind, product.name, product.parents = "attention", softmax.home, (query, key, values[0])


def _forward_products(node: Node) -> Iterator[Node]:
    waiting = list(node.children)
    while waiting:
        here = waiting.pop(0)
        if here.kind == "op" and here.name in MATMULS and len(here.parents) == 2:
            yield here
        elif here.kind in ("op", "dropout"):
            waiting += here.children


def _back_to_products(node: Node) -> list[Node]:
    return [one for one in _behind(node) if one.kind == "op" and one.name in MATMULS and len(one.parents) >= 2]


def _behind(node: Node) -> list[Node]:
    """A tensor and all that it was made of, back to linear layers, attentions and other matrices, in order."""
    return _reached([node], lambda here: here.parents)


def _reached(starts: Iterable[Node], onward: Callable[[Node], Iterable[Node]]) -> list[Node]:
    """These and all that one comes to from them, up to `ENDS` and no further, in the order of the forward pass."""
    seen, waiting = dict[int, Node](), list(starts)
    while waiting:
        here = waiting.pop()
        if here.number not in seen:
            seen[here.number] = here
            if here.kind not in ENDS:
                waiting += onward(here)
    return [seen[number] for number in sorted(seen)]


def _same_stream(product: Node) -> bool:
    """Whether both sides are linear layers of one tensor: not one of them of positions."""
    sides = [sources(side) for side in product.parents[-2:]]
    if any(len(side) != 1 or side[0].kind != "linear" for side in sides):
        return False
    inputs = [side[0].parents for side in sides]
    return all(inputs) and plain(inputs[0][0]) is plain(inputs[1][0])
