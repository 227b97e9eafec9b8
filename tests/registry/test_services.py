import pytest
from django.db import connection

from registry import queries, services
from registry.durable import remove_tree
from registry.errors import (
    ContentRefused,
    InvalidField,
    InvalidName,
    ModelExists,
    ModelNotFound,
    NothingToRollBack,
    RegistryError,
    VersionConflict,
    VersionDamaged,
    VersionIsLive,
    VersionNotFound,
    VersionNotRoutable,
)
from registry.manifests import parse_manifest
from registry.models import Blob, Event, RegisteredModel, Route, Version, VersionBlob
from registry.specs import Pooling, RouteMode
from tests.registry.builders import build_model_dir

pytestmark = pytest.mark.django_db
MODEL = "team/tiny"


def kinds() -> list[str]:
    return list(Event.objects.order_by("id").values_list("kind", flat=True))


def live() -> int | None:
    version = queries.load_live_version(MODEL)
    return version.number if version else None


def promote(number: int) -> None:
    services.promote(MODEL, number, actor="alice")


def damage(store, number: int) -> None:
    manifest = parse_manifest(Version.objects.get(number=number).manifest)
    weights = next(f for f in manifest.files if f.path == "model.safetensors")
    blob = store.blob(weights.sha256)
    blob.chmod(0o644)
    data = blob.read_bytes()
    blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def test_a_registered_version_has_its_facts_and_answers_nothing_yet(register, store):
    spec = register(note="first")
    assert (spec.model, spec.number, spec.task) == (MODEL, 1, "text-classification")
    assert spec.labels == ("NEGATIVE", "POSITIVE")
    assert spec.pooling is Pooling.MEAN
    assert spec.view == store.view(spec.digest)
    row = Version.objects.get()
    assert parse_manifest(row.manifest, digest=spec.digest).n_bytes == spec.n_bytes
    assert (row.created_by, row.note, row.n_files) == ("alice", "first", 4)
    assert str(store.root) not in row.source
    assert row.blobs.count() == Blob.objects.count() == 4
    assert kinds() == ["created", "registered"]
    assert live() is None
    assert queries.load_generation() == 1
    assert queries.load_desired_state().models[MODEL].desired == ()


def test_versions_are_numbered_per_model(register):
    assert [register(seed).number for seed in (1, 2, 3)] == [1, 2, 3]
    assert register(1, name="team/other").number == 1
    assert Blob.objects.count() == 3 + 3


def test_the_same_files_again_are_the_same_version(register):
    first = register(1)
    register(2)
    assert register(1) == first
    assert kinds() == ["created", "registered", "registered"]


def test_registering_says_whether_it_is_new(tmp_path, model_dir):
    from registry.sources.directory import DirectorySource

    (model_dir / ".git").mkdir()
    results = []
    for _ in range(2):
        with DirectorySource(model_dir) as source:
            results.append(services.register_source(source, MODEL, actor="alice"))
    assert [result.is_new for result in results] == [True, False]
    assert results[0].skipped == (".git",)


def test_chosen_pooling_is_kept_and_cannot_be_changed_later(register):
    assert register(1, pooling="cls").pooling is Pooling.CLS
    assert register(1).pooling is Pooling.CLS
    with pytest.raises(VersionConflict, match=r"bellwether\.json"):
        register(1, pooling="max")


def test_the_same_files_may_be_in_two_models(register):
    assert register(1).digest == register(1, name="team/other").digest
    assert Version.objects.count() == 2
    assert Blob.objects.count() == 4


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"name": "tiny"}, InvalidName),
        ({"name": "api/x"}, InvalidName),
        ({"pooling": "sum"}, InvalidField),
        ({"note": "x" * 501}, InvalidField),
        ({"note": "a\0b"}, InvalidField),
    ],
)
def test_wrong_arguments_change_nothing(register, options, error):
    with pytest.raises(error):
        register(**options)
    assert not RegisteredModel.objects.exists()


def test_refused_content_leaves_no_trace(tmp_path, store):
    folder = build_model_dir(tmp_path / "m", files={"model.safetensors": b"\x80\x04evil"})
    with pytest.raises(ContentRefused):
        services.register_directory(folder, MODEL, actor="alice")
    assert not RegisteredModel.objects.exists()
    for place in (store.stagings, store.views, store.blobs):
        assert not list(place.iterdir())


def test_a_database_that_fails_last_leaves_an_unreferenced_view_and_a_retry_succeeds(
    register, monkeypatch
):
    class Lost(Exception):
        pass

    def fail(*args, **kwargs):
        raise Lost

    monkeypatch.setattr("registry.services.registration.add_event", fail)
    with pytest.raises(Lost):
        register(1)
    assert not Version.objects.exists()
    assert not VersionBlob.objects.exists()
    monkeypatch.undo()
    assert register(1).number == 1


def test_names_that_differ_only_in_case_are_one_name(register):
    register(1)
    with pytest.raises(ModelExists, match="letter case"):
        services.ensure_model("Team/tiny", actor="alice")
    with pytest.raises(ModelExists):
        services.create_model(MODEL, actor="alice")
    services.ensure_model(MODEL, actor="alice")
    assert RegisteredModel.objects.count() == 1


def test_promotion_routes_all_traffic_and_raises_the_generation(register):
    register(1)
    version = register(2)
    assert services.promote(MODEL, 2, actor="alice", reason="better") == version
    state = queries.load_desired_state()
    assert state.generation == queries.load_generation() == 2
    (route,) = state.models[MODEL].desired
    assert (route.version, route.mode, route.weight) == (version, RouteMode.LIVE, 100)
    event = Event.objects.order_by("-id").first()
    assert (event.kind, event.number, event.from_number, event.to_number, event.reason) == (
        "promoted",
        2,
        None,
        2,
        "better",
    )


def test_promoting_the_live_version_again_changes_nothing(register):
    register(1)
    promote(1)
    before = (queries.load_generation(), kinds())
    promote(1)
    assert (queries.load_generation(), kinds()) == before


def test_every_promotion_leaves_exactly_one_live_route(register):
    for seed in (1, 2):
        register(seed)
    for number in (1, 2, 1, 2):
        promote(number)
        assert Route.objects.count() == 1
        assert live() == number
    assert queries.load_generation() == 5


def test_what_cannot_be_routed_is_not_promoted(register, store):
    register(1)
    register(2)
    services.retire(MODEL, 2, actor="alice")
    with pytest.raises(VersionNotRoutable, match="retired"):
        promote(2)
    with pytest.raises(VersionNotFound):
        promote(9)
    with pytest.raises(ModelNotFound):
        services.promote("team/none", 1, actor="alice")
    remove_tree(queries.load_version(MODEL, 1).view)
    with pytest.raises(VersionNotRoutable, match="not in place"):
        promote(1)
    assert live() is None
    assert queries.load_generation() == 1


def test_rollback_goes_back_step_by_step_and_then_says_so(register):
    for seed in (1, 2, 3):
        register(seed)
        promote(seed)
    assert services.rollback(MODEL, actor="alice", reason="bad").number == 2
    assert services.rollback(MODEL, actor="alice").number == 1
    with pytest.raises(NothingToRollBack):
        services.rollback(MODEL, actor="alice")
    assert live() == 1
    assert queries.load_generation() == 6
    event = Event.objects.filter(reason="bad").get()
    assert (event.kind, event.from_number, event.to_number) == ("rolled_back", 3, 2)


def test_rollback_passes_over_what_cannot_be_routed(register, store):
    for seed in (1, 2, 3, 4):
        register(seed)
        promote(seed)
    services.retire(MODEL, 3, actor="alice")
    damage(store, 2)
    services.verify(MODEL, 2, actor="alice")
    assert services.rollback(MODEL, actor="alice").number == 1


def test_nothing_was_live_before_the_first_promotion(register):
    register(1)
    with pytest.raises(NothingToRollBack):
        services.rollback(MODEL, actor="alice")
    promote(1)
    with pytest.raises(NothingToRollBack):
        services.rollback(MODEL, actor="alice")


def test_a_live_version_cannot_be_retired_and_a_retired_one_stays_so(register):
    register(1)
    register(2)
    promote(1)
    with pytest.raises(VersionIsLive):
        services.retire(MODEL, 1, actor="alice")
    promote(2)
    services.retire(MODEL, 1, actor="alice")
    services.retire(MODEL, 1, actor="alice")
    assert kinds().count("retired") == 1
    services.verify(MODEL, 1, actor="alice")
    assert Version.objects.get(number=1).state == "retired"


def test_a_sound_version_stays_sealed(register):
    register(1)
    result = services.verify(MODEL, 1, actor="alice")
    assert result.verification.is_sound
    assert result.state == "sealed"
    assert kinds()[-1] == "verified"


def test_a_damaged_live_version_stays_routed_and_cannot_be_promoted(register, store):
    register(1)
    register(2)
    promote(1)
    damage(store, 1)
    result = services.verify(MODEL, 1, actor="alice")
    assert result.state == "damaged"
    assert live() == 1
    event = Event.objects.order_by("-id").first()
    assert event.kind == "damaged"
    assert event.details["damaged"][0]["path"] == "model.safetensors"
    promote(2)
    with pytest.raises(VersionDamaged, match="restore"):
        promote(1)


def test_a_version_whose_files_come_again_is_sealed_again(register, store):
    register(1)
    damage(store, 1)
    assert services.verify(MODEL, 1, actor="alice").state == "damaged"
    register(1)
    assert services.verify(MODEL, 1, actor="alice").state == "sealed"
    promote(1)


def test_damaged_files_are_moved_out_of_reach(register, store):
    version = register(1)
    damage(store, 1)
    services.verify(MODEL, 1, actor="alice")
    assert not version.view.exists()
    assert len(list(store.quarantined.iterdir())) == 2
    bad = Blob.objects.get(is_damaged=True)
    assert not store.blob(bad.sha256).exists()


def test_an_altered_manifest_row_is_damage(register):
    register(1)
    Version.objects.update(manifest="[]")
    result = services.verify(MODEL, 1, actor="alice")
    assert result.verification.damaged[0].place == "record"
    assert services.recover().rebuilt == ()
    with pytest.raises(VersionDamaged):
        promote(1)


def test_recovery_rebuilds_the_views_of_versions_in_use(register):
    kept, gone = register(1), register(2)
    services.retire(MODEL, 2, actor="alice")
    for spec in (kept, gone):
        remove_tree(spec.view)
    recovery = services.recover()
    assert recovery.rebuilt == (kept.digest,)
    assert kept.view.is_dir()
    assert not gone.view.exists()


def test_the_daily_task_checks_all_that_is_not_retired(register, store):
    from registry.tasks import verify_all

    for seed in (1, 2, 3):
        register(seed)
    services.retire(MODEL, 3, actor="alice")
    damage(store, 2)
    assert verify_all.func() == {"n_verified": 2, "unsound": [f"{MODEL} version 2"]}


def test_events_cannot_be_changed_or_removed(register):
    register(1)
    event = Event.objects.first()
    event.actor = "mallory"
    for forbidden in (
        event.save,
        event.delete,
        Event.objects.all().delete,
        lambda: Event.objects.update(actor="mallory"),
    ):
        with pytest.raises(TypeError, match="append-only"):
            forbidden()


@pytest.mark.parametrize("actor", ["", " ", "a\0"])
def test_somebody_must_have_done_it(register, actor):
    register(1)
    with pytest.raises(InvalidField):
        services.promote(MODEL, 1, actor=actor)


def test_specs_are_read_back(register):
    first, second = register(1), register(2)
    assert queries.load_version(MODEL, 1) == first
    assert queries.load_live_version(MODEL) is None
    promote(2)
    (model,) = queries.load_models()
    assert model == queries.load_model(MODEL)
    assert (model.name, model.n_versions, model.live) == (MODEL, 2, second)


@pytest.mark.parametrize(
    "name", ["team/none", "none", "", "a/b/c", "team/\0", "\ud800/x", "x" * 999]
)
def test_a_model_that_is_not_there_is_not_found_whatever_its_name(db, name):
    for load in (queries.load_model, queries.load_live_version):
        with pytest.raises(ModelNotFound) as caught:
            load(name)
        caught.value.message.encode()
    with pytest.raises(ModelNotFound):
        queries.load_labels(name, 1)


@pytest.mark.parametrize("number", [0, -1, 2, 2**31, 2**63, 10**30])
def test_a_version_that_is_not_there_is_not_found_whatever_its_number(register, number):
    register(1)
    with pytest.raises(VersionNotFound):
        queries.load_version(MODEL, number)


def test_labels_are_remembered(register, django_assert_num_queries):
    register(1)
    assert queries.load_labels(MODEL, 1) == ("NEGATIVE", "POSITIVE")
    with django_assert_num_queries(0):
        queries.load_labels(MODEL, 1)


def test_polling_costs_one_query(register, django_assert_num_queries):
    for seed in (1, 2):
        register(seed)
        register(seed, name="team/other")
    promote(2)
    with django_assert_num_queries(1):
        queries.load_generation()
    with django_assert_num_queries(3):
        queries.load_desired_state()
    with django_assert_num_queries(2):
        queries.load_models()


def test_every_error_has_a_code_of_its_own():
    def below(kind):
        return {kind, *(leaf for child in kind.__subclasses__() for leaf in below(child))}

    # The Hub says some of them in other words, as classes of its own.
    named = [kind for kind in below(RegistryError) if kind.__module__ == "registry.errors"]
    grouping = {"RegistryError", "StoreError", "EndpointError"}
    codes = [kind.code for kind in named if kind.__name__ not in grouping]
    assert len(set(codes)) == len(codes)
    assert "error" not in codes


@pytest.mark.django_db(transaction=True)
def test_concurrent_promotions_leave_one_live_route(register):
    from concurrent.futures import ThreadPoolExecutor

    numbers = [register(seed).number for seed in (1, 2, 3, 4)]

    def change(number: int) -> None:
        try:
            services.promote(MODEL, number, actor="alice")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, numbers * 3))
    changes = list(
        Event.objects.filter(kind="promoted").order_by("id").values_list("from_number", "to_number")
    )
    assert Route.objects.filter(mode="live").count() == 1
    assert live() == changes[-1][1]
    assert queries.load_generation() == 1 + len(changes)
    # Each change starts where the one before it ended: none was lost between.
    assert [old for old, _ in changes] == [None, *(new for _, new in changes[:-1])]


@pytest.mark.django_db(transaction=True)
def test_concurrent_registrations_of_the_same_files_make_one_version(tmp_path, model_dir):
    from concurrent.futures import ThreadPoolExecutor

    other = build_model_dir(tmp_path / "other", seed=9)

    def work(folder) -> int:
        try:
            return services.register_directory(folder, MODEL, actor="alice").number
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(work, [model_dir, other, model_dir, other]))
    assert sorted(set(numbers)) == [1, 2]
    assert (numbers[0], numbers[1]) == (numbers[2], numbers[3])
    assert Version.objects.count() == 2
