"""Django settings. Everything a deployment may change comes from `config.env`."""

from pathlib import Path
from typing import Any

import environ as django_environ

from config import env, in_force, keyfile, logs
from config.theme import UNFOLD as UNFOLD

VALUES = env.read()
# What a page shows of them; the monitor does not import this package.
BELLWETHER_SETTINGS_IN_FORCE = in_force.list_in_force()

BASE_DIR = Path(__file__).resolve().parent.parent
BELLWETHER_HOME: Path = Path(VALUES["BELLWETHER_HOME"]).expanduser().resolve()
BELLWETHER_HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
REDIS_URL: str = VALUES["REDIS_URL"]
BELLWETHER_HOST: str = VALUES["BELLWETHER_HOST"]
BELLWETHER_PORT: int = VALUES["BELLWETHER_PORT"]
BELLWETHER_AUTH: bool = VALUES["BELLWETHER_AUTH"]
BELLWETHER_RATE_LIMIT: str = VALUES["BELLWETHER_RATE_LIMIT"]
BELLWETHER_METRICS_OPEN: bool = VALUES["BELLWETHER_METRICS_OPEN"]
BELLWETHER_DEFAULT_MODEL: str = VALUES["BELLWETHER_DEFAULT_MODEL"]
BELLWETHER_SUMMARY_MODEL: str = VALUES["BELLWETHER_SUMMARY_MODEL"]
BELLWETHER_MAX_BODY_BYTES: int = VALUES["BELLWETHER_MAX_BODY_BYTES"]
BELLWETHER_CACHE_BYTES: int = VALUES["BELLWETHER_CACHE_BYTES"]
BELLWETHER_CACHE_S: int = VALUES["BELLWETHER_CACHE_S"]
BELLWETHER_MAX_INPUTS: int = VALUES["BELLWETHER_MAX_INPUTS"]
BELLWETHER_MAX_JOB_INPUTS: int = VALUES["BELLWETHER_MAX_JOB_INPUTS"]
BELLWETHER_MAX_JOB_BYTES: int = VALUES["BELLWETHER_MAX_JOB_BYTES"]
BELLWETHER_MAX_TEXT_CHARS: int = VALUES["BELLWETHER_MAX_TEXT_CHARS"]
BELLWETHER_DEVICE: str = VALUES["BELLWETHER_DEVICE"]
BELLWETHER_DTYPE: str = VALUES["BELLWETHER_DTYPE"]
BELLWETHER_LANES: int = VALUES["BELLWETHER_LANES"]
BELLWETHER_MAX_BATCH: int = VALUES["BELLWETHER_MAX_BATCH"]
BELLWETHER_MAX_BATCH_TOKENS: int = VALUES["BELLWETHER_MAX_BATCH_TOKENS"]
BELLWETHER_MAX_QUEUE: int = VALUES["BELLWETHER_MAX_QUEUE"]
BELLWETHER_MAX_QUEUE_TOKENS: int = VALUES["BELLWETHER_MAX_QUEUE_TOKENS"]
BELLWETHER_TIMEOUT_S: float = VALUES["BELLWETHER_TIMEOUT_S"]
BELLWETHER_STORE_TEXT: bool = VALUES["BELLWETHER_STORE_TEXT"]
BELLWETHER_REDACT: list[str] = VALUES["BELLWETHER_REDACT"]
BELLWETHER_REDACT_PATTERNS: dict[str, str] = VALUES["BELLWETHER_REDACT_PATTERNS"]
BELLWETHER_RESERVOIR_SIZE: int = VALUES["BELLWETHER_RESERVOIR_SIZE"]
BELLWETHER_RESERVOIR_DAYS: int = VALUES["BELLWETHER_RESERVOIR_DAYS"]
BELLWETHER_KEEP_EMBEDDINGS: bool = VALUES["BELLWETHER_KEEP_EMBEDDINGS"]
BELLWETHER_SUMS_DAYS: int = VALUES["BELLWETHER_SUMS_DAYS"]
BELLWETHER_RETENTION_DAYS: int = VALUES["BELLWETHER_RETENTION_DAYS"]
BELLWETHER_EVALUATION_DAYS: int = VALUES["BELLWETHER_EVALUATION_DAYS"]
BELLWETHER_FALSE_ALARM_DAYS: int = VALUES["BELLWETHER_FALSE_ALARM_DAYS"]
BELLWETHER_AUDIT_PER_HOUR: int = VALUES["BELLWETHER_AUDIT_PER_HOUR"]
BELLWETHER_SECOND_OPINIONS: int = VALUES["BELLWETHER_SECOND_OPINIONS"]
BELLWETHER_REFERENCE_SIZE: int = VALUES["BELLWETHER_REFERENCE_SIZE"]
BELLWETHER_BACKUPS: dict[str, str] = VALUES["BELLWETHER_BACKUPS"]
BELLWETHER_BACKUP_EVERY: int = VALUES["BELLWETHER_BACKUP_EVERY"]
BELLWETHER_BACKUP_KEEP: str = VALUES["BELLWETHER_BACKUP_KEEP"]
BELLWETHER_HISTORY_DAYS: int = VALUES["BELLWETHER_HISTORY_DAYS"]
BELLWETHER_MEMORY_LIMIT_BYTES: int = VALUES["BELLWETHER_MEMORY_LIMIT_BYTES"]
BELLWETHER_LOADING: str = VALUES["BELLWETHER_LOADING"]
BELLWETHER_ROLLBACK_WINDOW_S: int = VALUES["BELLWETHER_ROLLBACK_WINDOW_S"]
BELLWETHER_SWAP_DEADLINE_S: float = VALUES["BELLWETHER_SWAP_DEADLINE_S"]
BELLWETHER_DRAIN_S: float = VALUES["BELLWETHER_DRAIN_S"]
HF_TOKEN: str = VALUES["HF_TOKEN"]
BELLWETHER_IMPORT_ENDPOINTS: list[str] = VALUES["BELLWETHER_IMPORT_ENDPOINTS"]
BELLWETHER_REMOTE_HOSTS: list[str] = VALUES["BELLWETHER_REMOTE_HOSTS"]
BELLWETHER_ENDPOINTS_API: str = VALUES["BELLWETHER_ENDPOINTS_API"]

BELLWETHER_PUBLIC_URL: str = VALUES["BELLWETHER_PUBLIC_URL"]
BELLWETHER_WEBHOOK_HOSTS: list[str] = VALUES["BELLWETHER_WEBHOOK_HOSTS"]
BELLWETHER_EMAIL_URL: str = VALUES["BELLWETHER_EMAIL_URL"]
BELLWETHER_EMAIL_FROM: str = VALUES["BELLWETHER_EMAIL_FROM"]
DEFAULT_FROM_EMAIL = SERVER_EMAIL = BELLWETHER_EMAIL_FROM
if BELLWETHER_EMAIL_URL:
    # EMAIL_BACKEND, EMAIL_HOST and so on.
    vars().update(django_environ.Env.email_url_config(BELLWETHER_EMAIL_URL))
EMAIL_TIMEOUT = 10


def _database() -> dict[str, Any]:
    if not VALUES["DATABASE_URL"]:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": BELLWETHER_HOME / "bellwether.sqlite3",
            # Connections live as long as their threads: a fresh one costs 0.7 ms.
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
                    "PRAGMA journal_size_limit=67108864"
                ),
            },
        }
    database: dict[str, Any] = django_environ.Env.db_url_config(VALUES["DATABASE_URL"])
    if database["ENGINE"].endswith("postgresql"):
        database |= {"CONN_MAX_AGE": 0}
        database["OPTIONS"] = {
            "pool": {"min_size": 1, "max_size": 20, "timeout": 10},
            "connect_timeout": 5,
        } | database.get("OPTIONS", {})
    return database


SECRET_KEY = VALUES["BELLWETHER_SECRET_KEY"] or keyfile.read_or_create(
    BELLWETHER_HOME / "secret.key"
)
DEBUG = VALUES["BELLWETHER_DEBUG"]
ALLOWED_HOSTS = [*VALUES["BELLWETHER_ALLOWED_HOSTS"], VALUES["BELLWETHER_HOST"]]
CSRF_TRUSTED_ORIGINS = VALUES["BELLWETHER_TRUSTED_ORIGINS"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if CSRF_TRUSTED_ORIGINS else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = bool(CSRF_TRUSTED_ORIGINS)

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework_api_key",
    "django_tasks",
    "django_tasks_db",
    "access",
    "registry",
    "inference",
    "monitoring",
    "config",
]

MIDDLEWARE = [
    "config.security.SecurityHeaders",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "config.formats"
USE_TZ = True
# Served from the installed packages by whitenoise: nothing to collect, nothing to build.
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default", "chores"]}}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "access.drf.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["access.drf.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["access.drf.KeyThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.parsers.BoundedJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "config.pagination.CursorPage",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.exceptions.handle",
    "UNAUTHENTICATED_USER": None,
}

LOGGING_CONFIG = None
logs.configure(level=VALUES["BELLWETHER_LOG_LEVEL"], shape=VALUES["BELLWETHER_LOG_FORMAT"])

SPECTACULAR_SETTINGS = {
    "TITLE": "Bellwether",
    "DESCRIPTION": "Serves, versions and watches Hugging Face text models.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "/static/dashboard/favicon.svg",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.schema.add_inference_plane",
    ],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # More than one kind and state in one document.
    "ENUM_NAME_OVERRIDES": {
        "AlertStateEnum": "monitoring.models.AlertState",
        "ChannelKindEnum": "monitoring.models.ChannelKind",
        "MonitorKindEnum": "monitoring.models.MonitorKind",
        "RolloutStateEnum": "monitoring.models.RolloutState",
        "FeedbackStatusEnum": ["recorded", "revised", "unchanged"],
        "GivenStatusEnum": ["recorded", "revised", "unchanged", "second_opinion"],
        "NotificationStateEnum": "monitoring.models.NotificationState",
        "SeverityEnum": ["info", "warning", "critical"],
        "JobStateEnum": "inference.jobs.models.JobState",
        "JobAskedEnum": ["pause", "cancel"],
        "JobFormatEnum": ["csv", "jsonl", "parquet", "text"],
        "DeploymentStateEnum": ["committed", "preparing", "failed"],
        "RefKindEnum": ["branch", "tag", "alias"],
        "VersionKindEnum": ["files", "remote"],
        "VersionStateEnum": ["sealed", "retired", "damaged"],
    },
    # In the order of the loop.
    "TAGS": [
        {"name": "predict", "description": "Ask a model."},
        {"name": "jobs", "description": "Ask a model about a whole file."},
        {"name": "feedback", "description": "Say what was true."},
        {"name": "quality", "description": "Read how good a model is, with intervals."},
        {"name": "alerts", "description": "What fires, who is told, and what nobody is told."},
        {"name": "drift", "description": "Compare traffic with what it was."},
        {"name": "monitors", "description": "Standing questions, and their dated answers."},
        {"name": "predictions", "description": "Read what was answered."},
        {"name": "registry", "description": "Models, versions, routes and events."},
        {"name": "huggingface", "description": "What huggingface_hub.InferenceClient speaks."},
        {"name": "oip", "description": "The Open Inference Protocol, as tritonclient speaks it."},
        {"name": "openai", "description": "What the openai package speaks."},
        {"name": "classic", "description": "The blog-style sentiment API, with its shapes kept."},
        {"name": "keys", "description": "Who may come in."},
        {"name": "operations", "description": "Health and metrics."},
    ],
}
