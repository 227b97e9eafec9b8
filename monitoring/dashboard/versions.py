"""What the page of a model's versions shows: each version's facts, routes, replicas and quality."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from monitoring.dashboard.route_words import Share, as_wanted, name_shares
from monitoring.models import Rollout
from monitoring.models.rollouts import RolloutState
from monitoring.quality.report import Estimate, Verdict
from monitoring.queries import GroupQuality, load_quality
from monitoring.rollups import By, Group, Scope
from monitoring.windows import parse_window
from registry import listing, queries
from registry.deployment import Deployment, load_deployment
from registry.listing import VersionFacts
from registry.specs import ModelSpec

PER_PAGE = 20
MOST_CHOICES = 200
OPEN_ROLLOUTS = (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.BAKING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """A version's last 24 hours; `f1` is the macro average over classes."""

    n_predicted: int = 0
    n_labelled: int = 0
    f1: Estimate | None = None
    is_thin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version. `serves` is what it answers with now, `wanted` what the routes say.

    `replicas` counts serving processes by how far they are with it: active, standby, failed …
    """

    facts: VersionFacts
    serves: Share | None
    wanted: Share | None
    replicas: tuple[tuple[str, int], ...]
    recent: Recent

    @property
    def number(self) -> int:
        return self.facts.spec.number

    @property
    def is_moving(self) -> bool:
        """Whether the replicas do not answer yet as the routes say."""
        return self.serves != self.wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of the numbered pages that a long list is cut into."""

    number: int
    n_pages: int

    @property
    def before(self) -> int | None:
        return self.number - 1 if self.number > 1 else None

    @property
    def after(self) -> int | None:
        return self.number + 1 if self.number < self.n_pages else None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionList:
    """A page of versions, the newest first, and what holds for the whole model."""

    rows: tuple[VersionRow, ...]
    page: Page
    numbers: tuple[int, ...]
    serves: tuple[Share, ...]
    wanted: tuple[Share, ...]
    deployment: Deployment
    rollout: str


def load_version_list(model: ModelSpec, *, page: int, now: datetime) -> VersionList:
    """Read a page of a model's versions; raises ModelNotFound."""
    n_pages = max(1, -(-model.n_versions // PER_PAGE))
    number = min(max(page, 1), n_pages)
    facts = listing.load_versions(model.name, offset=(number - 1) * PER_PAGE, limit=PER_PAGE)
    routes, deployment = queries.load_model_routes(model.name), load_deployment(model.name)
    serves = name_shares(as_wanted(routes.committed))
    wanted = name_shares(as_wanted(routes.desired))
    recents = _load_recents(model.name, now)
    replicas = _count_states(deployment)
    return VersionList(
        rows=tuple(
            VersionRow(
                facts=each,
                serves=_find(serves, each.spec.number),
                wanted=_find(wanted, each.spec.number),
                replicas=replicas.get(each.spec.number, ()),
                recent=recents.get(each.spec.number, Recent()),
            )
            for each in facts
        ),
        page=Page(number=number, n_pages=n_pages),
        numbers=listing.load_numbers(model.name, limit=MOST_CHOICES),
        serves=serves,
        wanted=wanted,
        deployment=deployment,
        rollout=find_rollout(model.name),
    )


def find_rollout(model: str) -> str:
    """A sentence on the analysed rollout that moves the model's routes now; empty without one."""
    rollout = Rollout.objects.filter(model=model, state__in=OPEN_ROLLOUTS).first()
    if rollout is None:
        return ""
    return (
        f"A rollout of version {rollout.candidate} is {rollout.state} and changes these routes by "
        "itself; it pauses when somebody else does."
    )


def _find(shares: tuple[Share, ...], number: int) -> Share | None:
    return next((share for share in shares if share.version == number), None)


def _count_states(deployment: Deployment) -> Mapping[int, tuple[tuple[str, int], ...]]:
    counts: dict[int, Counter[str]] = {}
    for replica in deployment.replicas:
        for track in replica.versions if replica.is_alive else ():
            counts.setdefault(int(track["version"]), Counter())[str(track["state"])] += 1
    return {number: tuple(sorted(states.items())) for number, states in counts.items()}


def _load_recents(model: str, now: datetime) -> dict[Group, Recent]:
    window = parse_window(None, None, now=now)
    report = load_quality(Scope(model=model, window=window, by=By.VERSION))
    return {group.group: _recent(group) for group in report.groups}


def _recent(group: GroupQuality) -> Recent:
    quality = group.quality
    return Recent(
        n_predicted=group.n_predicted,
        n_labelled=quality.n_labelled,
        f1=quality.macro.f1 if quality.n_labelled else None,
        is_thin=quality.verdict is Verdict.INSUFFICIENT_DATA,
    )
