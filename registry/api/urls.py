"""Paths of the registry under /api/v1."""

from django.urls import path

from registry.api import converters
from registry.api.views import (
    audit,
    backups,
    cards,
    catalogue,
    deployment,
    diffs,
    endpoints,
    gc,
    imports,
    operations,
    refs,
    routes,
    signatures,
)

__all__ = ["converters", "urlpatterns"]

_MODEL = "models/<namespace:namespace>/<modelname:name>"
_ENDPOINT = "endpoints/<str:owner>/<str:endpoint>"
_VERSION = f"{_MODEL}/versions/<version:number>"

urlpatterns = [
    path("models", catalogue.ModelsView.as_view(), name="registry-models"),
    path(_MODEL, catalogue.ModelView.as_view(), name="registry-model"),
    path(f"{_MODEL}/versions", catalogue.VersionsView.as_view(), name="registry-versions"),
    path(_VERSION, catalogue.VersionView.as_view(), name="registry-version"),
    path(f"{_VERSION}/promote", catalogue.PromoteView.as_view(), name="registry-promote"),
    path(f"{_VERSION}/retire", catalogue.RetireView.as_view(), name="registry-retire"),
    path(f"{_VERSION}/reinstate", catalogue.ReinstateView.as_view(), name="registry-reinstate"),
    path(f"{_VERSION}/verify", catalogue.VerifyView.as_view(), name="registry-verify"),
    path(f"{_MODEL}/rollback", catalogue.RollbackView.as_view(), name="registry-rollback"),
    path(f"{_MODEL}/pin", catalogue.PinView.as_view(), name="registry-pin"),
    path(f"{_MODEL}/unpin", catalogue.UnpinView.as_view(), name="registry-unpin"),
    path(f"{_MODEL}/routes", routes.RoutesView.as_view(), name="registry-routes"),
    path(f"{_MODEL}/refs", refs.RefsView.as_view(), name="registry-refs"),
    path(f"{_MODEL}/seal", refs.SealView.as_view(), name="registry-seal"),
    path(f"{_MODEL}/aliases/<str:alias>", refs.AliasView.as_view(), name="registry-alias"),
    path(f"{_MODEL}/deployment", deployment.DeploymentView.as_view(), name="registry-deployment"),
    path(f"{_MODEL}/deployment/retry", deployment.RetryView.as_view(), name="registry-retry"),
    path(f"{_MODEL}/import", imports.ImportView.as_view(), name="registry-import"),
    path(f"{_MODEL}/events", catalogue.EventsView.as_view(), name="registry-events"),
    path(f"{_MODEL}/audit", audit.AuditView.as_view(), name="registry-audit"),
    path(f"{_MODEL}/diff", diffs.DiffView.as_view(), name="registry-diff"),
    path(f"{_MODEL}/policy", signatures.PolicyView.as_view(), name="registry-policy"),
    path(f"{_VERSION}/card", cards.CardView.as_view(), name="registry-card"),
    path(f"{_VERSION}/signatures", signatures.SignaturesView.as_view(), name="registry-signatures"),
    path(
        f"{_VERSION}/signatures/<str:fingerprint>",
        signatures.SignatureBundleView.as_view(),
        name="registry-signature",
    ),
    path("trusted-keys", signatures.TrustedKeysView.as_view(), name="registry-trusted-keys"),
    path(
        "trusted-keys/<str:key>", signatures.TrustedKeyView.as_view(), name="registry-trusted-key"
    ),
    path("audit/verify", audit.AuditVerifyView.as_view(), name="registry-audit-verify"),
    path(f"{_MODEL}/remote", endpoints.RemoteVersionsView.as_view(), name="registry-remote"),
    path("endpoints", endpoints.EndpointsView.as_view(), name="registry-endpoints"),
    path(_ENDPOINT, endpoints.EndpointView.as_view(), name="registry-endpoint"),
    path(f"{_ENDPOINT}/pause", endpoints.EndpointPauseView.as_view(), name="registry-pause"),
    path(f"{_ENDPOINT}/resume", endpoints.EndpointResumeView.as_view(), name="registry-resume"),
    path(f"{_ENDPOINT}/wait", endpoints.EndpointWaitView.as_view(), name="registry-wait"),
    path("operations", operations.OperationsView.as_view(), name="registry-operations"),
    path(
        "operations/<uuid:operation>",
        operations.OperationView.as_view(),
        name="registry-operation",
    ),
    path(
        "operations/<uuid:operation>/cancel",
        operations.CancelView.as_view(),
        name="registry-operation-cancel",
    ),
    path(
        "operations/<uuid:operation>/retry",
        operations.RetryView.as_view(),
        name="registry-operation-retry",
    ),
    path("backups", backups.BackupsView.as_view(), name="registry-backups"),
    path("backups/verify", backups.BackupVerifyView.as_view(), name="registry-backups-verify"),
    path("gc", gc.SweepView.as_view(), name="registry-gc"),
]
