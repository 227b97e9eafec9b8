"""Backups while others push, promote and sweep."""

import threading

import pytest
from django.db import connection

from registry import services
from registry.backups.checking import check_target, list_snapshots, load_blob_sizes, load_snapshot
from registry.backups.picking import has_files, manifest_of
from registry.backups.restoring import fetch_rows
from registry.errors import SweepRefused
from registry.services import backups
from registry.services.sweeping import sweep
from tests.registry.builders import build_model_dir

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_backup_is_of_one_moment_whatever_goes_on_beside_it(folder, tmp_path):
    folders = [build_model_dir(tmp_path / f"m{seed}", seed=seed) for seed in range(6)]
    services.register_directory(folders[0], "team/first", actor="alice")
    errors: list[BaseException] = []
    stop = threading.Event()

    def guarded(work) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    def push() -> None:
        for turn in range(12):
            name = f"team/w{turn % 2}"
            services.register_directory(folders[turn % 6], name, actor="w")
            if turn % 4 == 3:
                services.delete_model(name, actor="w")

    def sweep_on() -> None:
        from datetime import timedelta

        while not stop.is_set():
            try:
                sweep(actor="s", grace=timedelta(0))
            except SweepRefused:
                stop.wait(0.02)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (push, sweep_on)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        backups.back_up(folder, actor="b")
    threads[0].join()
    stop.set()
    threads[1].join()
    for error in errors:
        raise error
    backups.back_up(folder, actor="b")
    assert len(list_snapshots(folder)) == 6
    assert check_target(folder).faults == ()
    for name in list_snapshots(folder):
        snapshot = load_snapshot(folder, name)
        rows, sizes = fetch_rows(folder, snapshot), load_blob_sizes(folder, snapshot)
        held = [*rows["commits"], *filter(has_files, rows["versions"])]
        assert {f.sha256 for row in held for f in manifest_of(row).files} == sizes.keys()
