"""The parts of a quality report that are made when they are asked for."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from monitoring.api.serializers.quality import (
    CountedQualitySerializer,
    EstimateSerializer,
    GroupQualitySerializer,
)
from monitoring.queries import QualityReport
from monitoring.reporting.details import Details
from monitoring.reporting.estimates import EstimateReport


class CurvePointSerializer(serializers.Serializer[Any]):
    delay_s = serializers.FloatField()
    share = serializers.FloatField(help_text="Of all predictions, labelled within the delay.")


class MaturitySerializer(serializers.Serializer[Any]):
    """How long labels take, over the newest month, and the window split by it."""

    n = serializers.IntegerField(help_text="Recent predictions that the delays are of.")
    n_labelled = serializers.IntegerField()
    p50_s = serializers.FloatField(allow_null=True)
    p95_s = serializers.FloatField(allow_null=True)
    mature_until = serializers.DateTimeField(
        allow_null=True, help_text="Predictions before this have nearly all their labels."
    )
    curve = CurvePointSerializer(many=True)
    mature = GroupQualitySerializer(allow_null=True)
    provisional = GroupQualitySerializer(allow_null=True)
    verdict = serializers.CharField(allow_null=True)


class CalibrationErrorSerializer(serializers.Serializer[Any]):
    """The expected calibration error beside what chance alone makes of true probabilities."""

    value = serializers.FloatField()
    excess = serializers.FloatField(help_text="What lies beyond the mean of the null.")
    null_mean = serializers.FloatField()
    null_high = serializers.FloatField(help_text="95 of 100 true models stay below this.")
    p_value = serializers.FloatField()
    gap = serializers.FloatField(help_text="Mean confidence less accuracy: above 0 too sure.")


class PointSerializer(serializers.Serializer[Any]):
    n = serializers.IntegerField()
    confidence = serializers.FloatField()
    accuracy = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class CalibrationSerializer(serializers.Serializer[Any]):
    n = serializers.IntegerField(help_text="Labelled predictions, the newest 10,000 at most.")
    error = CalibrationErrorSerializer(allow_null=True)
    brier = serializers.FloatField(allow_null=True)
    log_loss = serializers.FloatField(allow_null=True)
    temperature = serializers.FloatField(
        allow_null=True, help_text="That suits the labels best; above 1 the model is too sure."
    )
    points = PointSerializer(many=True)
    verdict = serializers.CharField(allow_null=True)


class EstimatedAccuracySerializer(serializers.Serializer[Any]):
    cbpe = EstimateSerializer()
    atc = EstimateSerializer()
    doc = EstimateSerializer()


class EstimatedClassSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]
    n_predicted = serializers.IntegerField()
    f1 = EstimateSerializer()


class RunningErrorSerializer(serializers.Serializer[Any]):
    method = serializers.CharField()
    n_windows = serializers.IntegerField(help_text="Past days with labels enough.")
    n_labelled = serializers.IntegerField()
    absolute = serializers.FloatField(help_text="Mean distance of the accuracies.")
    bias = serializers.FloatField(help_text="Mean of estimated less realised.")
    expected = serializers.FloatField(help_text="The distance that so few labels make by chance.")
    agreement = serializers.FloatField()
    is_sufficient = serializers.BooleanField()


class EstimatedSerializer(serializers.Serializer[Any]):
    """The quality that the answers alone suggest; blind to a change of what is right."""

    version = serializers.IntegerField()
    reference = serializers.IntegerField(help_text="Id of the reference that it rests on.")
    n_reference_labelled = serializers.IntegerField()
    n = serializers.IntegerField(source="estimated.n")
    accuracy = serializers.SerializerMethodField()
    macro_f1 = EstimateSerializer(source="estimated.macro_f1")
    classes = EstimatedClassSerializer(many=True, source="estimated.classes")
    spread = serializers.FloatField(
        source="estimated.spread", allow_null=True, help_text="How far the methods are apart."
    )
    reference_accuracy = serializers.FloatField(source="estimated.reference_accuracy")
    reference_macro_f1 = serializers.FloatField(source="estimated.reference_macro_f1")
    verdict = serializers.CharField(source="estimated.verdict", allow_null=True)
    errors = RunningErrorSerializer(many=True)  # type: ignore[assignment]

    @extend_schema_field(EstimatedAccuracySerializer)
    def get_accuracy(self, report: EstimateReport) -> dict[str, Any]:
        accuracy = report.estimated.accuracy
        by_name = {method.value: estimate for method, estimate in accuracy.items()}
        return dict(EstimatedAccuracySerializer(by_name).data)


class DetailsSerializer(serializers.Serializer[Any]):
    maturity = MaturitySerializer(allow_null=True)
    calibration = CalibrationSerializer(allow_null=True)
    estimated = EstimatedSerializer(allow_null=True)


class QualitySerializer(CountedQualitySerializer):
    """The last three are null unless `include` lists them."""

    maturity = MaturitySerializer(allow_null=True)
    calibration = CalibrationSerializer(allow_null=True)
    estimated = EstimatedSerializer(allow_null=True)


def show_quality(report: QualityReport, details: Details) -> dict[str, Any]:
    """A report with its details, as QualitySerializer describes it."""
    return {**CountedQualitySerializer(report).data, **DetailsSerializer(details).data}
