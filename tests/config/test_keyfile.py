import stat
import threading

from config.keyfile import read_or_create


def test_a_secret_is_made_once_and_private(tmp_path):
    path = tmp_path / "secret.key"
    first = read_or_create(path)
    assert len(first) > 40
    assert read_or_create(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["secret.key"]


def test_starts_at_the_same_time_agree(tmp_path):
    path, found = tmp_path / "secret.key", []
    threads = [
        threading.Thread(target=lambda: found.append(read_or_create(path))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {read_or_create(path)}
