"""The registry over HTTP, a module for each kind of thing; imported by `registry.api.urls` only."""
