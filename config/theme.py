"""The admin's look and its navigation; who lacks a scope does not see the link."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.module_loading import import_string

from access.scopes import Scope


class Badge:
    """What the function at `path` says, beside a link; no badge while it says nothing.

    By name, too: what it asks is not there yet while the settings are read.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(import_string(self._path)())

    def __bool__(self) -> bool:
        return bool(str(self))


def _link(title: str, icon: str, view: str, scope: Scope = Scope.READ) -> dict[str, Any]:
    # By name, because this is read while the settings are.
    permission = f"access.persons.may_{scope}"
    return {"title": title, "icon": icon, "link": reverse_lazy(view), "permission": permission}


NAVIGATION = [
    {
        "title": "Watch",
        "items": [
            _link("Home", "home", "admin:index"),
            {
                **_link("Alerts", "notifications_active", "dashboard:alerts"),
                "badge": Badge("monitoring.dashboard.badges.firing_alerts"),
            },
            _link("Predictions", "forum", "dashboard:predictions"),
            _link("Labelling", "label", "dashboard:labelling", Scope.FEEDBACK),
            _link("Playground", "science", "dashboard:playground", Scope.PREDICT),
        ],
    },
    {
        "title": "Serve",
        "collapsible": True,
        "items": [
            _link("Models", "deployed_code", "admin:registry_registeredmodel_changelist"),
            _link("Versions", "layers", "admin:registry_version_changelist"),
            _link("Routes", "alt_route", "admin:registry_route_changelist"),
            _link("Replicas", "dns", "admin:registry_replica_changelist"),
            _link("Operations", "pending_actions", "admin:registry_operation_changelist"),
            _link("Jobs", "work_history", "admin:inference_job_changelist"),
            _link("Backups", "backup", "admin:registry_backup_changelist"),
            _link("Commits", "commit", "admin:registry_commit_changelist"),
            _link("Branches and tags", "sell", "admin:registry_ref_changelist"),
            _link("Files", "draft", "admin:registry_blob_changelist"),
            _link("Trusted keys", "verified_user", "admin:registry_trustedkey_changelist"),
        ],
    },
    {
        "title": "Records",
        "collapsible": True,
        "items": [
            _link("Audit log", "history", "admin:registry_event_changelist"),
            _link("Feedback", "rate_review", "admin:monitoring_feedback_changelist"),
            _link("References", "straighten", "admin:monitoring_reference_changelist"),
            _link("Shadow cells", "compare_arrows", "admin:monitoring_shadowcell_changelist"),
            _link("Shadow flips", "swap_horiz", "admin:monitoring_shadowflip_changelist"),
        ],
    },
    {
        "title": "Administration",
        "collapsible": True,
        "items": [
            _link("API keys", "key", "admin:access_apikey_changelist", Scope.ADMIN),
            _link("People", "group", "admin:auth_user_changelist", Scope.ADMIN),
            _link("Roles", "badge", "admin:auth_group_changelist", Scope.ADMIN),
            _link("Settings in force", "tune", "dashboard:settings", Scope.ADMIN),
        ],
    },
]

UNFOLD = {
    "SITE_TITLE": "Bellwether",
    "SITE_HEADER": "Bellwether",
    "SITE_SYMBOL": "notifications_active",
    "SITE_URL": "/docs",
    "SHOW_HISTORY": False,
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("dashboard/favicon.svg"),
        }
    ],
    "STYLES": [lambda request: static("dashboard/dashboard.css")],
    "LOGIN": {"form": "access.signing_in.SignInForm"},
    "SIDEBAR": {"navigation": NAVIGATION},
    # A calm green instead of the theme's purple; every pair with white or black passes 4.5 : 1.
    "COLORS": {
        "primary": {
            "50": "#effaf6",
            "100": "#d8f3e8",
            "200": "#b4e6d3",
            "300": "#82d3b8",
            "400": "#4db899",
            "500": "#2b9c7f",
            "600": "#177a63",
            "700": "#146552",
            "800": "#125042",
            "900": "#104238",
            "950": "#072520",
        }
    },
}
