"""Housekeeping of the queue itself."""

from django.core.management import call_command
from django_tasks import task


@task
def prune_task_results() -> None:
    """Delete the results of tasks that ended more than two weeks ago."""
    call_command("prune_db_task_results", min_age_days=14, failed_min_age_days=14)
