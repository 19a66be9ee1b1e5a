"""Download the models and data of cells into the hub's cache, for machines without a network."""

from collections.abc import Callable, Iterable, Iterator

from bench.configuration.cell import Cell
from bench.configuration.schema import DataConfig, ModelConfig, Weights
from bench.data.published import Published
from bench.data.source import locate
from bench.errors import UserError
from bench.system.hub import offline_if_unreachable
from bench.tasks.build import task_of

# Configuration, weights, tokenizer; repositories also keep the same weights for other frameworks.
MODEL_FILES = ["*.json", "*.safetensors", "*.model", "*.txt"]
PICKLE_FILES = ["*.bin"]


def differing(cells: Iterable[list[str]]) -> list[list[str]]:
    """Of cells' overrides those that may need something else: method, seed and training change no download."""
    seen: dict[tuple[str, ...], list[str]] = {}
    for overrides in cells:
        key = tuple(word for word in overrides if not word.startswith(("method", "seed=", "training.")))
        seen.setdefault(key, overrides)
    return list(seen.values())


def fetch_all(cells: Iterable[Cell], say: Callable[[str], None]) -> None:
    """Download what `cells` need and is not here yet; each model and each split once.

    Args:
        cells: cells with local models or data need nothing and are passed over.
        say: told what is here, line by line.

    Raises:
        UserError: the hub cannot be reached, or does not give something.
    """
    cells = list(cells)
    models, splits = list(_models(cells)), list(_splits(cells))
    if not models and not splits:
        say("nothing to fetch: models and data are local")
        return
    if offline_if_unreachable():
        raise UserError("the hub cannot be reached; run `bench fetch` where there is a network, HF_HUB_OFFLINE not set")
    for model in models:
        say(f"model {model.hub}: {_download(model)}")
    for published, split in splits:
        rows = locate(published, split, DataConfig()).rows()
        say(f"data {published.name}, split {split}: {len(rows)} rows")


def _models(cells: list[Cell]) -> Iterator[ModelConfig]:
    seen = set()
    for model in (cell.base for cell in cells):
        is_local = model.path is not None or model.shipped is not None or model.hub is None
        needs_none = model.weights == Weights.random and bool(model.architecture)
        if not is_local and not needs_none and (model.hub, model.revision) not in seen:
            seen.add((model.hub, model.revision))
            yield model


def _splits(cells: list[Cell]) -> Iterator[tuple[Published, str]]:
    seen = set()
    for cell in cells:
        task = task_of(cell)
        if task.miniature or cell.data.root is not None or cell.data.synthetic:
            continue
        for published, split in task.sources():
            if (published.name, split) not in seen:
                seen.add((published.name, split))
                yield published, split


def _download(model: ModelConfig) -> str:
    from huggingface_hub import snapshot_download

    assert model.hub is not None
    patterns = MODEL_FILES + (PICKLE_FILES if model.allow_pickle else [])
    try:
        return str(snapshot_download(model.hub, revision=model.revision, allow_patterns=patterns))
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(f"cannot fetch {model.hub}: {first}") from error
