"""An export on the Hugging Face hub, for whoever asks for it."""

from pathlib import Path

from huggingface_hub import HfApi, constants, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # public all the same

from bench.errors import UserError
from bench.system.hub import offline_if_unreachable


def check_push(repository: str) -> None:
    """Refuse what cannot be pushed, before anything is written.

    Raises:
        UserError: no name of a repository, no network, or nobody who is logged in.
    """
    owner, _, name = repository.partition("/")
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise UserError(f"push={repository}: say push=OWNER/NAME") from error
    if not owner or not name:
        raise UserError(f"push={repository}: say whose it is to be, push=OWNER/NAME")
    if constants.HF_HUB_OFFLINE:
        raise UserError(f"push={repository}: HF_HUB_OFFLINE is set; take it away to reach the hub")
    if get_token() is None:
        raise UserError(f"push={repository}: nobody is logged in; run `hf auth login`, or set HF_TOKEN")
    if offline_if_unreachable():  # an upload knows no time limit
        raise UserError(f"push={repository}: cannot reach {constants.ENDPOINT}")


def push(folder: Path, repository: str, message: str, *, private: bool = True) -> str:
    """Upload a folder as one commit, into a repository that is made where there is none.

    Args:
        folder: as `bench.running.export.export` has written it.
        repository: OWNER/NAME.
        message: of the commit.
        private: whether a new repository is seen by its owner alone; one that is there stays as it is.

    Returns:
        The address of the commit.

    Raises:
        UserError: the hub cannot be reached or does not allow it; the folder stays.
    """
    hub = HfApi(endpoint=constants.ENDPOINT)
    try:
        hub.create_repo(repository, repo_type="model", private=private, exist_ok=True)
        commit = hub.upload_folder(repo_id=repository, folder_path=folder, commit_message=message)
    except HfHubHTTPError as error:
        said = error.server_message or f"status {error.response.status_code}"
        raise UserError(f"push={repository}: {constants.ENDPOINT} says: {said}; {folder} is written") from error
    except Exception as error:  # whichever transport the library uses has errors of its own
        said = str(error) or type(error).__name__
        raise UserError(f"push={repository}: cannot reach {constants.ENDPOINT}: {said}; {folder} is written") from error
    return str(commit.commit_url)
