"""The shipped library models tell the truth about the libraries that are installed here."""

from __future__ import annotations

import pytest
from library_check import dangling, installed, problems

from backendlint.project.libraries.lookup import Libraries

LIBRARIES = Libraries.load()
NAMES = sorted(library.library for library in LIBRARIES.libraries())


def test_the_standard_library_and_an_http_client_are_checked_here() -> None:
    here = {library.library for library in LIBRARIES.libraries() if installed(library)}
    assert {"python_logging", "requests", "httpx"} <= here


@pytest.mark.parametrize("name", NAMES)
def test_names_positions_and_keywords_are_the_librarys_own(name: str) -> None:
    library = LIBRARIES.library(name)
    assert library is not None
    assert list(problems(LIBRARIES, library)) == []


@pytest.mark.parametrize("name", NAMES)
def test_types_are_modelled(name: str) -> None:
    library = LIBRARIES.library(name)
    assert library is not None
    assert list(dangling(LIBRARIES, library)) == []
