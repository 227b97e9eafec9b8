"""Drift on request as it goes out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from monitoring.drift.base import Finding
from monitoring.evaluating.answers import plain
from monitoring.evaluating.exploring import DriftReport
from monitoring.verdicts import Verdict


class FindingSerializer(serializers.Serializer[Any]):
    """What one detector found; null where it has no such number, or too little data."""

    detector = serializers.CharField()
    family = serializers.CharField()
    is_sufficient = serializers.BooleanField()
    n_reference = serializers.IntegerField()
    n_window = serializers.IntegerField()
    statistic = serializers.FloatField(allow_null=True)
    p_value = serializers.FloatField(allow_null=True)
    effect = serializers.FloatField(
        allow_null=True, help_text="From 0.5 (nothing) to 1, however many items there are."
    )
    details = serializers.SerializerMethodField()

    @extend_schema_field({"type": "object", "additionalProperties": {}})
    def get_details(self, finding: Finding) -> dict[str, Any]:
        shown: dict[str, Any] = plain(finding.details)
        return shown


class FamilySerializer(serializers.Serializer[Any]):
    """What one family of detectors says."""

    family = serializers.CharField()
    verdict = serializers.ChoiceField(choices=[v.value for v in Verdict])
    p_value = serializers.FloatField(allow_null=True, help_text="After Holm's correction.")
    alpha = serializers.FloatField(help_text="What it was compared with.")
    detector = serializers.CharField(allow_null=True, help_text="The one that decided.")


class DriftSerializer(serializers.Serializer[Any]):
    model = serializers.CharField()
    version = serializers.IntegerField()
    verdict = serializers.CharField(source="judgement.verdict")
    summary = serializers.CharField()
    alpha = serializers.FloatField(source="judgement.alpha")
    floor = serializers.FloatField(help_text="The smallest effect that counts.")
    p_value = serializers.FloatField(source="judgement.p_value", allow_null=True)
    window_start_at = serializers.DateTimeField(source="start", allow_null=True)
    window_end_at = serializers.DateTimeField(source="end", allow_null=True)
    n_window = serializers.IntegerField()
    reference = serializers.IntegerField(
        allow_null=True, help_text="Its id; null where a window was compared with a window."
    )
    against_start_at = serializers.DateTimeField(source="against_start", allow_null=True)
    against_end_at = serializers.DateTimeField(source="against_end", allow_null=True)
    n_reference = serializers.IntegerField()
    families = serializers.SerializerMethodField()
    findings = FindingSerializer(many=True)

    @extend_schema_field(FamilySerializer(many=True))
    def get_families(self, report: DriftReport) -> list[dict[str, Any]]:
        rows = [
            {
                "family": family.value,
                "verdict": found.verdict.value,
                "p_value": found.p_value,
                "alpha": found.alpha,
                "detector": found.worst.detector if found.worst else None,
            }
            for family, found in report.judgement.families.items()
        ]
        return list(FamilySerializer(rows, many=True).data)
