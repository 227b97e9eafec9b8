"""Shapes of jobs."""

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from inference.jobs.listing import view_of
from inference.jobs.models import Job, JobState
from inference.jobs.rows import Format


class JobSerializer(serializers.Serializer[Job]):
    """A job on a file, or on inline texts; what is not known yet is null."""

    id = serializers.UUIDField()
    model = serializers.CharField()
    format = serializers.CharField(help_text=f"inline, or what the file is: {', '.join(Format)}")
    state = serializers.ChoiceField(choices=JobState.choices)
    asked = serializers.CharField(help_text="pause or cancel, while the current chunk ends")
    n_inputs = serializers.IntegerField(
        allow_null=True, help_text="Rows; null until they are counted."
    )
    n_done = serializers.IntegerField(help_text="Rows with an answer.")
    n_failed = serializers.IntegerField(help_text="Rows in the file of errors.")
    n_labels = serializers.IntegerField(help_text="Labels that became feedback.")
    n_labels_refused = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True, help_text="The part that is done, 0 to 1.")
    rate = serializers.FloatField(allow_null=True, help_text="Rows a second.")
    eta_s = serializers.FloatField(allow_null=True, help_text="Seconds that are left.")
    error_code = serializers.CharField()
    error_message = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: Job) -> Any:
        return super().to_representation(view_of(instance, now=timezone.now()))  # type: ignore[arg-type]
