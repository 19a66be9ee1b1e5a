"""Where a model's files are: in a local folder, inside the package, or on the hub and in its cache."""

from collections.abc import Iterator
from pathlib import Path

from bench.configuration.schema import ModelConfig, Weights
from bench.errors import UserError
from bench.identity.weight_files import INDEX, PICKLED, SAFE, check_content, weight_map
from bench.models.checkpoint import Checkpoint, read_checkpoint
from bench.system.hub import offline_if_unreachable


def source_of(config: ModelConfig) -> str:
    """The folder or hub repository that the configuration names.

    Raises:
        UserError: it names none, or a folder that is not a model's.
    """
    if config.path is not None:
        folder = Path(config.path).expanduser()
        if not (folder / "config.json").is_file():
            raise UserError(f"model.path={config.path}: no model there (config.json is missing)")
        for file in (folder / "config.json", folder / "generation_config.json"):
            if file.is_file():
                check_content(file)
        return str(folder)
    if config.shipped is not None:
        from bench.miniature.backbones import backbone_path

        return str(backbone_path(config.shipped))
    if config.hub is None:
        raise UserError(f"model '{config.name}' has no files; add model.path=FOLDER or model.hub=OWNER/NAME")
    return config.hub


def is_local(config: ModelConfig) -> bool:
    """Whether the model needs no hub."""
    return config.path is not None or config.shipped is not None


def weights_folder(config: ModelConfig) -> Path:
    """The folder with the model's weights; where they are on the hub, they are downloaded into its cache first.

    Raises:
        UserError: there is no such model, or the hub cannot be reached.
    """
    source = source_of(config)
    if is_local(config):
        return Path(source)
    offline = offline_if_unreachable()
    try:
        return _snapshot(source, config.revision, config.allow_pickle, offline)
    except OSError as error:
        raise not_loaded(source, error, offline) from error


def checkpoint_of(config: ModelConfig) -> Checkpoint | None:
    """What the model's weights consist of; None where they are random.

    Raises:
        UserError: a file is missing, or is not what it claims to be.
    """
    if config.weights == Weights.random:
        return None
    return read_checkpoint(weights_folder(config), config.allow_pickle)


def checkpoint_at_hand(config: ModelConfig) -> Checkpoint | None:
    """The same as far as it is known on this machine, for a plan, which needs no weights; nothing is downloaded."""
    from huggingface_hub import try_to_load_from_cache

    if config.weights == Weights.random:
        return None
    try:
        folder = Path(source_of(config))
        if not is_local(config):
            found = try_to_load_from_cache(source_of(config), "config.json", revision=config.revision)
            if not isinstance(found, str):
                return None
            folder = Path(found).parent
        return read_checkpoint(folder, config.allow_pickle)
    except UserError:  # what is wrong with them is said to whoever wants to read them
        return None


def not_loaded(source: str, error: Exception, offline: bool) -> UserError:
    """What to say of a model that could not be had."""
    if offline:
        return UserError(
            f"the model {source} is not on this machine, and the hub cannot be reached; run `bench fetch` with the "
            f"same settings where there is a network, or give model.path=FOLDER"
        )
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return UserError(f"cannot load {source}: {first.rstrip('.')}")


def _snapshot(repository: str, revision: str | None, allow_pickle: bool, offline: bool) -> Path:
    """The folder of one commit in the hub's cache, with the files of weights that transformers would read."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RemoteEntryNotFoundError

    absent = LocalEntryNotFoundError if offline else RemoteEntryNotFoundError
    folder = Path(hf_hub_download(repository, "config.json", revision=revision)).parent

    def has(name: str) -> bool:
        try:
            hf_hub_download(repository, name, revision=folder.name)  # a commit's folder is called by its hash
        except absent:
            return False
        return True

    has("generation_config.json")
    for name in (SAFE, SAFE + INDEX, *((PICKLED, PICKLED + INDEX) if allow_pickle else ())):
        if has(name):
            for shard in _shards(folder / name):
                hf_hub_download(repository, shard, revision=folder.name)
            return folder
    if offline:
        raise not_loaded(repository, FileNotFoundError(), offline)
    raise UserError(
        f"{repository} has no safetensors; a pickle checkpoint can run code when read, add model.allow_pickle=true if "
        f"it has one and you trust it"
    )


def _shards(file: Path) -> Iterator[str]:
    if file.name.endswith(INDEX):
        yield from sorted(set(weight_map(file).values()))
