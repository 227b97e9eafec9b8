"""A small registry with something of everything, and another, empty one to restore into."""

from contextlib import contextmanager
from pathlib import Path

from django.apps import apps
from django.db import connection

from registry import services
from registry.models import Event, Golden, Signature, TrustedKey, Version
from registry.services import refs
from tests.registry.builders import build_model_dir

MODEL = "team/tiny"


def fill(tmp_path: Path) -> None:
    """Two versions (2 live, 1 before), another model that is not live, refs, golden, keys."""
    for seed in (1, 2):
        folder = build_model_dir(tmp_path / f"model-{seed}", seed=seed)
        services.register_directory(folder, MODEL, actor="alice")
        services.promote(MODEL, seed, actor="alice", reason=f"try {seed}")
    folder = build_model_dir(tmp_path / "model-3", seed=3)
    services.register_directory(folder, "team/other", actor="bob", note="another")
    refs.create_branch(MODEL, "feature/x", start="main", actor="alice")
    refs.create_tag(MODEL, "first", "v1", actor="alice", message="the first one")
    refs.set_alias(MODEL, "stable", "v1", actor="alice")
    version = Version.objects.get(model__name="tiny", number=2)
    Golden.objects.create(version=version, cases=[{"input": "a"}], tolerance=0.1, is_given=True)
    Signature.objects.create(version=version, fingerprint="f" * 64, bundle="{}", added_by="alice")
    TrustedKey.objects.create(fingerprint="f" * 64, name="release", pem="pem", added_by="alice")


def dump() -> dict[str, list[dict[str, object]]]:
    """Every row of the registry that a backup should bring back, without row numbers."""
    from registry.backups.rows import ROWS, plain_row

    ignored = {"verified_at", "cas_epoch", "generation"}
    found = {}
    for table, model in ROWS.items():
        rows = [plain_row(table, row) for row in model._default_manager.order_by("pk")]
        for row in rows:
            for name in ignored:
                row.pop(name, None)
        found[table] = sorted(rows, key=str)
    return found


def empty() -> None:
    """Delete every row of the registry, as in a new database; the events too."""
    models = apps.get_app_config("registry").get_models()
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        for model in models:
            cursor.execute(f'DELETE FROM "{model._meta.db_table}"')


@contextmanager
def another_home(settings, home: Path):
    """An empty registry in another home; rows and settings are as they were afterwards."""
    before = settings.BELLWETHER_HOME
    empty()
    settings.BELLWETHER_HOME = home
    yield home
    settings.BELLWETHER_HOME = before


def kinds() -> list[str]:
    return list(Event.objects.order_by("id").values_list("kind", flat=True))
