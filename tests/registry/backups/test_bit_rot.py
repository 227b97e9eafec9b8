"""One flipped byte anywhere in anything that is stored: always found, never kept for sound.

BELLWETHER_ROT_TRIALS sets how many bytes are flipped here and at a target, together.
"""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry import services
from registry.backups.checking import check_target
from registry.errors import BackupDamaged, BlobDamaged
from registry.location import open_store
from registry.manifests import parse_manifest
from registry.models import Blob, Version
from registry.services import backups, restoring
from registry.services.scrubbing import Level, scrub
from registry.store import Store
from registry.verification import verify as verify_files
from tests.registry.backups.builders import MODEL, another_home, fill

pytestmark = pytest.mark.django_db
N_TRIALS = int(os.environ.get("BELLWETHER_ROT_TRIALS", "320"))
SEED = 20_260_101


@pytest.fixture
def stored(tmp_path, folder) -> Path:
    """A registry whose views hold links and copies, and its backup."""
    fill(tmp_path)
    store = open_store()
    view = store.view(Version.objects.get(model__name="tiny", number=1).digest)
    view.chmod(0o755)
    for path in list(view.iterdir()):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    backups.back_up(folder, actor="alice")
    return tmp_path / "backups"


def places(root: Path, n_trials: int) -> Iterator[tuple[Path, int, int]]:
    """Every file at least once, then at random: (file, position, what its byte is xored with)."""
    draw = random.Random(SEED)
    by_inode = {path.stat().st_ino: path for path in sorted(root.rglob("*")) if path.is_file()}
    files = [path for path in by_inode.values() if path.stat().st_size]
    chosen = files + draw.choices(files, k=max(0, n_trials - len(files)))
    for path in chosen:
        yield path, draw.randrange(path.stat().st_size), draw.randrange(1, 256)


def flip(path: Path, at: int, mask: int) -> None:
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.seek(at)
        byte = stream.read(1)[0]
        stream.seek(at)
        stream.write(bytes([byte ^ mask]))


def test_a_flipped_byte_in_the_store_is_always_found(stored, tmp_path):
    store, pristine = open_store(), tmp_path / "pristine"
    copy(store.root, pristine)
    missed = []
    for path, at, mask in places(store.root, N_TRIALS // 2):
        flip(path, at, mask)
        name = path.relative_to(store.root).as_posix()
        if scrub(Level.BYTES, actor="alice").is_sound:
            missed.append((name, at, mask))
        assert serves_only_what_is_sound(store), (name, at, mask)
        copy(pristine, store.root)
        Blob.objects.update(is_damaged=False)
        Version.objects.update(state="sealed")
    assert missed == []


def serves_only_what_is_sound(store: Store) -> bool:
    """Whether every version that may be routed has its files, whole."""
    rows = Version.objects.filter(state="sealed").values_list("manifest", flat=True)
    return all(verify_files(store, parse_manifest(text)).is_sound for text in rows)


def copy(source: Path, target: Path) -> None:
    if target.exists():
        for folder in target.rglob("*"):
            if folder.is_dir():
                folder.chmod(0o755)
        shutil.rmtree(target)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def test_a_flipped_byte_in_a_backup_is_always_found(stored, folder):
    missed = []
    for path, at, mask in places(stored, N_TRIALS - N_TRIALS // 2):
        flip(path, at, mask)
        if check_target(folder).is_sound:
            missed.append((path.relative_to(stored).as_posix(), at, mask))
        flip(path, at, mask)
    assert missed == []
    assert check_target(folder).is_sound


def test_a_flipped_byte_in_a_backup_is_never_restored(stored, folder, tmp_path, settings):
    with another_home(settings, tmp_path / "elsewhere"):
        for number, (path, at, mask) in enumerate(places(stored, 0)):
            # What an earlier try has fetched is sound, and would not be fetched again.
            settings.BELLWETHER_HOME = tmp_path / f"try-{number}"
            flip(path, at, mask)
            with pytest.raises((BackupDamaged, BlobDamaged)):
                restoring.restore(folder, actor="bob")
            assert not Version.objects.exists()
            flip(path, at, mask)
        assert restoring.restore(folder, actor="bob")["n_versions"] == 3
        assert services.verify(MODEL, 2, actor="bob").verification.is_sound
