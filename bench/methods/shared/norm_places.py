"""Where a feed-forward's pretrained norms stand, for the methods that depend on it."""

from torch import nn

from bench.errors import UnsupportedError
from bench.methods.shared.bottleneck import PfeifferAdapter
from bench.models.structure import FeedForward, NormPlace, Structure

KNOWN = frozenset(NormPlace) - {NormPlace.unknown}
READABLE = frozenset({NormPlace.after_sum, NormPlace.before, NormPlace.around})  # the residual sum goes through a norm
NORMALISED = frozenset(
    {NormPlace.before, NormPlace.beside, NormPlace.around}
)  # what goes into the branch is not the residual itself


def check_norms(title: str, structure: Structure, places: frozenset[NormPlace]) -> None:
    """Refuse a model whose blocks have the norms of their feed-forward elsewhere than in `places`.

    Raises:
        UnsupportedError: it has; the message names the norms.
    """
    for site in structure.feed_forwards:
        if site.place not in places:
            raise UnsupportedError(
                f"{title} needs a feed-forward with a norm {' or '.join(sorted(places))}; this model's blocks have "
                f"theirs {site.place} ({', '.join(site.norms) or 'none'})"
            )


def attach_behind_sum(model: nn.Module, adapter: PfeifferAdapter, site: FeedForward, name: str) -> None:
    """Let `adapter` act on the residual sum of the feed-forward at `site`, which `check_norms` has found readable."""
    assert site.norm is not None
    assert site.total is not None
    adapter.attach(model.get_submodule(site.total), model.get_submodule(site.norm), name, site.is_post_norm)
