"""Whether the Hugging Face hub can be reached, found out once and quickly.

Its libraries try for minutes when there is no network. Here one request with a short time limit decides, and where it
fails the libraries are told that they are offline: they then use their caches or say at once what is missing.
"""

import functools
import sys
import threading

SECONDS = 3.0  # for name resolution, connection and answer together


def offline_if_unreachable() -> bool:
    """Tell the hub's libraries to stay offline if the hub cannot be reached; returns whether they are offline."""
    from huggingface_hub import constants

    if not constants.HF_HUB_OFFLINE and not _reachable(constants.ENDPOINT):
        constants.HF_HUB_OFFLINE = True
        if "datasets" in sys.modules:
            import datasets

            datasets.config.HF_HUB_OFFLINE = True
    return bool(constants.HF_HUB_OFFLINE)


@functools.cache
def _reachable(endpoint: str) -> bool:
    """Ask for one thing that every copy of the hub has, in a thread of its own: name resolution knows no time limit.

    A machine behind a portal or a proxy that answers everything with an error has not reached the hub.
    """
    import requests

    answers = []

    def ask() -> None:
        try:
            answers.append(requests.head(f"{endpoint}/api/datasets/nyu-mll/glue", timeout=SECONDS))
        except requests.RequestException:
            return  # not reached is the answer

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return bool(answers) and answers[0].ok
