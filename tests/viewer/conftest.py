"""Fixtures of the tests in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.viewer.browsers import Browser


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    # here, since it skips where there is no selenium
    from tests.viewer.browsers import chromium_in

    with chromium_in(tmp_path_factory.mktemp("viewer")) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """A window of the size of a desk, in light colours; the test fails if the console has complaints in the end."""
    from tests.viewer.browsers import WIDE

    chromium.size(*WIDE)
    chromium.scheme("light")
    yield chromium
    assert chromium.complaints() == []
