"""The server's ASGI application: both planes on one port."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from config.planes import build  # noqa: E402 - Django must be set up first

application = build()
