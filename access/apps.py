from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    name = "access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Importing is what registers these.
        from access import checks, schema  # noqa: F401
        from access.persons import make_roles

        # After the permissions are made, which `django.contrib.auth` does first.
        post_migrate.connect(make_roles, sender=self, dispatch_uid="access.roles")
