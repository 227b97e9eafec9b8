"""The real settings in a home of their own, so that a test run touches nobody's data."""

import atexit
import os
import shutil
import tempfile

if "BELLWETHER_HOME" not in os.environ:
    _home = tempfile.mkdtemp(prefix="bellwether-tests-")
    os.environ["BELLWETHER_HOME"] = _home
    atexit.register(shutil.rmtree, _home, ignore_errors=True)

# Test processes share the cores: OpenMP's threads would mostly spin, waiting for each other.
# Servers choose their own number (`inference.runtimes.cores`).
os.environ.setdefault("OMP_NUM_THREADS", "1")

from config.settings import *  # noqa: F403
from config.settings import BELLWETHER_HOME, DATABASES

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not memory: threads must see each other's rows as they do in production.
    DATABASES["default"]["TEST"] = {"NAME": BELLWETHER_HOME / "test.sqlite3"}
else:
    DATABASES["default"]["OPTIONS"].pop("pool", None)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
