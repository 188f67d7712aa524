import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.deployment.fleet import Fleet


@pytest.fixture(scope="session")
def running_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A shop of real processes. Skipped, and said so, without Redis: `make test` installs it as root."""
    if shutil.which("redis-server") is None:
        pytest.skip("no Redis: apt-get install redis-server")
    with ExitStack() as stack:
        yield Fleet(tmp_path_factory.mktemp("fleet"), stack)


@pytest.fixture
def fleet(running_fleet: Fleet) -> Iterator[Fleet]:
    """The same one, whole again for the next test."""
    yield running_fleet
    running_fleet.inbox.clear_faults()
