"""The project's own settings, in the environment of the tests: a private PostgreSQL unless DATABASE_URL names one."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("SECRET_KEY", "only for tests")
os.environ.setdefault("STATIC_MANIFEST", "0")
# Playwright's synchronous API runs an event loop in the thread of the test.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

if "IMPORT_ROOT" not in os.environ:
    os.environ["IMPORT_ROOT"] = tempfile.mkdtemp(prefix="libriweb-imports-")
    atexit.register(shutil.rmtree, os.environ["IMPORT_ROOT"], ignore_errors=True)

if "DATABASE_URL" not in os.environ:
    from dev.cluster import Cluster

    _folder = Path(tempfile.mkdtemp(prefix="libriweb-tests-"))
    _cluster = Cluster(_folder / "postgresql", durable=False)
    _cluster.start()
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    atexit.register(_cluster.stop)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # The workers of pytest-xdist inherit it, so they share the server, each with a database of its own.
    os.environ["DATABASE_URL"] = _cluster.url

from libriweb.settings import *  # noqa: F403 - the environment comes first

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, str] = {}
