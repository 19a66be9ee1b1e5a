"""A seal tells our own files from others'."""

import os

import pytest

from bench.system.cache import cache_folder
from bench.system.sealed import KEY, sealed, unsealed


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))


def test_what_was_sealed_is_read_back_and_a_change_is_seen():
    text = sealed(b"content")
    assert unsealed(text) == b"content"
    assert unsealed(text + b"!") is None
    assert unsealed(b"") is None
    assert unsealed(b"content") is None


@pytest.mark.parametrize("spoil", ["readable", "short", "link", "gone"])
def test_a_key_that_is_not_ours_alone_seals_nothing(tmp_path, spoil):
    text, key = sealed(b"content"), cache_folder() / KEY
    assert key.stat().st_mode & 0o777 == 0o600
    if spoil == "readable":
        key.chmod(0o644)
    elif spoil == "short":
        key.write_bytes(b"x")
    else:
        key.rename(tmp_path / "elsewhere")
        if spoil == "link":
            key.symlink_to(tmp_path / "elsewhere")
    assert unsealed(text) is None
    assert (sealed(b"content") is None) == (spoil != "gone")


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file"))
    assert sealed(b"content") is None
    assert unsealed(os.urandom(100)) is None
