import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvalidManifest, InvalidPath
from registry.manifests import ManifestFile, build_manifest, parse_manifest

SHA = "0123456789abcdef" * 4
FILES_BY_PATH = (("a.txt", 1), ("b.txt", 2))
FILES = st.lists(
    st.builds(
        ManifestFile,
        path=st.text(alphabet="abcdefgäöü日.-_ /", min_size=1, max_size=12),
        size=st.integers(0, 2**53 - 1),
        sha256=st.text(alphabet="0123456789abcdef", min_size=64, max_size=64),
    ),
    min_size=1,
    max_size=6,
)


def test_the_digest_is_the_sha256_of_the_canonical_json():
    manifest = build_manifest([ManifestFile("b.txt", 2, SHA), ManifestFile("a.txt", 1, SHA)])
    rows = [f'{{"path":"{path}","sha256":"{SHA}","size":{n}}}' for path, n in FILES_BY_PATH]
    expected = f"[{','.join(rows)}]"
    assert manifest.text == expected
    assert manifest.digest == hashlib.sha256(expected.encode()).hexdigest()
    assert manifest.n_bytes == 3


def test_files_are_sorted_by_the_bytes_of_their_paths():
    paths = ["é", "z", "B", "\U0001f600", "\uff5e", "a/b", "a-b"]
    manifest = build_manifest(ManifestFile(path, 0, SHA) for path in paths)
    assert [f.path for f in manifest.files] == sorted(paths, key=lambda path: path.encode())


@given(FILES, st.randoms())
def test_a_manifest_survives_its_text_and_ignores_order(files, random):
    try:
        manifest = build_manifest(files)
    except InvalidPath:
        return
    shuffled = list(files)
    random.shuffle(shuffled)
    assert build_manifest(shuffled).digest == manifest.digest
    assert parse_manifest(manifest.text, digest=manifest.digest) == manifest
    assert json.loads(manifest.text) == sorted(
        ({"path": f.path, "sha256": f.sha256, "size": f.size} for f in files),
        key=lambda row: row["path"].encode(),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "[1]",
        "[" * 100_000,
        '[{"path":"a"}]',
        f'[{{"path":"a","sha256":"{SHA}","size":1,"mode":1}}]',
        f'[{{"path":1,"sha256":"{SHA}","size":1}}]',
        f'[{{"path":"a","sha256":"{SHA}","size":1.0}}]',
        f'[{{"path":"a","sha256":"{SHA}","size":true}}]',
        f'[{{"path":"a","sha256":"{SHA}","size":-1}}]',
        f'[{{"path":"a","sha256":"{SHA.upper()}","size":1}}]',
        '[{"path":"a","sha256":1,"size":1}]',
        f'[{{"path":"a", "sha256":"{SHA}","size":1}}]',
        f'[{{"path":"b","sha256":"{SHA}","size":1}},{{"path":"a","sha256":"{SHA}","size":1}}]',
    ],
)
def test_text_of_any_other_form_is_refused(text):
    with pytest.raises(InvalidManifest):
        parse_manifest(text)


def test_another_manifest_than_the_named_one_is_refused():
    text = build_manifest([ManifestFile("a", 1, SHA)]).text
    with pytest.raises(InvalidManifest, match="digest"):
        parse_manifest(text, digest="0" * 64)
