"""The real settings, plus one plain view: for `layers`."""

from config.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.peers.urls"
