"""What fuzzers share: caches that are not the user's, and the seed beside a test that fails."""

import tempfile

import pytest

from tests.fuzz.place import CACHES, SEED


@pytest.fixture(scope="session", autouse=True)
def _caches(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for name in CACHES:
            patch.setenv(name, str(tmp_path_factory.mktemp("cache")))
        patch.setattr(tempfile, "tempdir", None)  # where it has looked TMPDIR up before
        yield


@pytest.fixture(autouse=True)
def _seed():
    print(f"fuzz seed: FUZZ_SEED={SEED} repeats this run")  # noqa: T201
