"""Makes `bellwether.json`, a Grafana dashboard over Bellwether's metrics.

    python deploy/grafana/build.py > deploy/grafana/bellwether.json

Grafana's own library gives every field its type, so what it builds is what Grafana reads. Numbers
that replicas share (see docs/reference/metrics.md) are shown as the `max` over them, others summed.
"""

import sys

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
)
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableHide,
    VariableRefresh,
)

SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
MODEL = 'model=~"$model"'
SERVER = 'instance=~"$instance"'
HEIGHT, HALF, THIRD = 8, 12, 8
Targets = dict[str, str]
"""Legend → expression."""


def query(expression: str, legend: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().datasource(SOURCE).expr(expression).legend_format(legend)


def chart(
    title: str, about: str, targets: Targets, *, unit: str = "short", span: int = HALF
) -> timeseries.Panel:
    """Lines over time; `unit` is one of Grafana's names of units."""
    legend = (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    panel = timeseries.Panel().title(title).description(about).datasource(SOURCE)
    panel = panel.unit(unit).height(HEIGHT).span(span).legend(legend).line_width(2).fill_opacity(8)
    for name, expression in targets.items():
        panel = panel.with_target(query(expression, name))
    return panel


def stacked(title: str, about: str, targets: Targets, **more: int | str) -> timeseries.Panel:
    mode = common.StackingConfig().mode(StackingMode.NORMAL)
    panel = chart(title, about, targets, **more)  # type: ignore[arg-type]
    return panel.stacking(mode).draw_style(GraphDrawStyle.LINE).fill_opacity(40)


def number(title: str, about: str, expression: str, *, bad_from: float | None) -> stat.Panel:
    """One number; red from `bad_from` on."""
    steps = [Threshold(value=None, color="green")]
    if bad_from is not None:
        steps.append(Threshold(value=bad_from, color="red"))
    thresholds = dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
    panel = stat.Panel().title(title).description(about).datasource(SOURCE)
    panel = panel.height(4).span(6).thresholds(thresholds).no_value("0")
    return panel.with_target(query(expression, title))


def quantiles(stage: str) -> Targets:
    rate = f'sum by (le) (rate(bellwether_stage_seconds_bucket{{stage="{stage}",{SERVER}}}[5m]))'
    return {f"p{q}": f"histogram_quantile({q / 100}, {rate})" for q in (50, 95, 99)}


def summary(board: dashboard.Dashboard) -> dashboard.Dashboard:
    firing = f'bellwether_alerts{{state="firing",{MODEL}}}'
    each = "max by (model, version, kind)"
    ready = f"count(bellwether_ready{{{SERVER}}} == 0)"
    dropped = f"sum(increase(bellwether_predictions_dropped_total{{{SERVER}}}[1h]))"
    board = board.with_panel(
        number("Firing alerts", "Of the chosen models.", f"sum({each} ({firing}))", bad_from=1)
    )
    board = board.with_panel(
        number("Servers not ready", "They answer /health/ready with 503.", ready, bad_from=1)
    )
    board = board.with_panel(
        number("Answers without record", "In the past hour; 0 is healthy.", dropped, bad_from=1)
    )
    return board.with_panel(
        number(
            "Predictions a second",
            "Of the chosen models, over five minutes.",
            f"sum(rate(bellwether_predictions_total{{{MODEL},{SERVER}}}[5m]))",
            bad_from=None,
        )
    )


def models(board: dashboard.Dashboard) -> dashboard.Dashboard:
    version, family = "{{model}} v{{version}}", "{{model}} v{{version}} {{family}}"
    by_version, by_family = "max by (model, version)", "max by (model, version, family)"
    panels = [
        chart(
            "Macro F1",
            "By the labels of the last 24 hours, and as estimated without labels.",
            {
                f"{version} by labels": f"{by_version} (bellwether_f1_realised{{{MODEL}}})",
                f"{version} estimated": f"{by_version} (bellwether_f1_estimated{{{MODEL}}})",
            },
            unit="percentunit",
        ),
        chart(
            "Evidence for degradation",
            "The e-value by labels; at its monitor's threshold it alarms.",
            {version: f"{by_version} (bellwether_quality_e_value{{{MODEL}}})"},
        ),
        chart(
            "Drift: effect",
            "How large the change is that each family of detectors sees.",
            {family: f"{by_family} (bellwether_drift_effect{{{MODEL}}})"},
        ),
        chart(
            "Drift: p-value",
            "Adjusted over families; small means that chance does not explain it.",
            {family: f"{by_family} (bellwether_drift_p_value{{{MODEL}}})"},
        ),
        stacked(
            "Alerts",
            "Pending and firing, by severity.",
            {
                "{{severity}} {{state}}": "sum by (severity, state) (max by "
                f"(model, version, kind, severity, state) (bellwether_alerts{{{MODEL}}}))"
            },
        ),
        chart(
            "Labelled share",
            "Of the last 24 hours' predictions.",
            {version: f"{by_version} (bellwether_feedback_coverage{{{MODEL}}})"},
            unit="percentunit",
        ),
        chart(
            "Monitors: value over threshold",
            "At 1 a monitor's measure meets what it is compared with.",
            {
                "{{model}} v{{version}} {{monitor}}": "max by (model, version, monitor) "
                f"(bellwether_monitor_value{{{MODEL}}} / bellwether_monitor_threshold{{{MODEL}}})"
            },
        ),
        chart(
            "Age of the newest evaluation",
            "Of each monitor; it grows when nobody watches.",
            {
                "{{model}} {{monitor}}": "max by (model, monitor) "
                f"(bellwether_evaluation_age_seconds{{{MODEL}}})"
            },
            unit="s",
        ),
    ]
    board = board.with_row(dashboard.Row("Are the models getting worse?"))
    for panel in panels:
        board = board.with_panel(panel)
    return board


def traffic(board: dashboard.Dashboard) -> dashboard.Dashboard:
    answered = f"rate(bellwether_predictions_total{{{MODEL},{SERVER}}}[5m])"
    panels = [
        stacked(
            "Predictions a second by version",
            "Live, canary and pinned answers.",
            {"{{model}} v{{version}}": f"sum by (model, version) ({answered})"},
            unit="reqps",
        ),
        stacked(
            "Label mix",
            "Answers a second by label.",
            {"{{model}} {{label}}": f"sum by (model, label) ({answered})"},
            unit="reqps",
        ),
        chart("Time of a prediction", "The whole of it.", quantiles("total"), unit="s"),
        chart("Time in the queue", "Before a forward pass.", quantiles("queue"), unit="s"),
        stacked(
            "Requests by status",
            "Of all routes.",
            {"{{status}}": f"sum by (status) (rate(bellwether_requests_total{{{SERVER}}}[5m]))"},
            unit="reqps",
        ),
        stacked(
            "Refused and abandoned",
            "By error code; abandoned: the client had gone.",
            {
                "{{code}}": f"sum by (code) (rate(bellwether_refused_total{{{SERVER}}}[5m]))",
                "abandoned": f"sum(rate(bellwether_abandoned_total{{{SERVER}}}[5m]))",
            },
            unit="reqps",
        ),
    ]
    board = board.with_row(dashboard.Row("What is asked, and how fast is it answered?"))
    for panel in panels:
        board = board.with_panel(panel)
    return board


def service(board: dashboard.Dashboard) -> dashboard.Dashboard:
    tokens = f"rate(bellwether_tokens_total{{{SERVER}}}[5m])"
    padding = f'rate(bellwether_tokens_total{{kind="padding",{SERVER}}}[5m])'
    shadows = f"sum by (model, version, outcome) (rate(bellwether_shadow_compared_total{{{MODEL}}}"
    panels = [
        chart(
            "Waiting for a forward pass",
            "Texts and tokens.",
            {
                "texts {{instance}}": f"bellwether_queue_depth{{{SERVER}}}",
                "tokens {{instance}}": f"bellwether_queue_tokens{{{SERVER}}}",
            },
            span=THIRD,
        ),
        chart(
            "Texts in a batch",
            "The mean over five minutes.",
            {
                "mean": f"sum(rate(bellwether_batch_size_sum{{{SERVER}}}[5m])) "
                f"/ sum(rate(bellwether_batch_size_count{{{SERVER}}}[5m]))"
            },
            span=THIRD,
        ),
        chart(
            "Padding",
            "Share of computed tokens that are padding.",
            {"share": f"sum({padding}) / sum({tokens})"},
            unit="percentunit",
            span=THIRD,
        ),
        chart(
            "Recording",
            "Age of the oldest prediction that is not in the database yet.",
            {"{{instance}}": f"bellwether_recorder_lag_seconds{{{SERVER}}}"},
            unit="s",
            span=THIRD,
        ),
        chart(
            "Notifications",
            "Of the last 24 hours by state; the wait of the oldest that is due.",
            {
                "{{state}}": "max by (state) (bellwether_notifications)",
                "oldest waits (s)": "max(bellwether_outbox_lag_seconds)",
            },
            span=THIRD,
        ),
        chart(
            "Shadows",
            "Copies a second by outcome.",
            {"{{model}} v{{version}} {{outcome}}": f"{shadows}[5m]))"},
            unit="reqps",
            span=THIRD,
        ),
    ]
    board = board.with_row(dashboard.Row("Is the service itself well?"))
    for panel in panels:
        board = board.with_panel(panel)
    return board


def build() -> Dashboard:
    """The whole dashboard."""
    board = (
        dashboard.Dashboard("Bellwether")
        .uid("bellwether")
        .tags(["bellwether", "machine-learning"])
        .description("What Bellwether serves, and whether it is getting worse.")
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(
            dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus")
        )
    )
    for name, label, metric in (
        ("model", "Model", "bellwether_version_info"),
        ("instance", "Server", "bellwether_ready"),
    ):
        board = board.with_variable(
            dashboard.QueryVariable(name)
            .label(label)
            .datasource(SOURCE)
            .query(f"label_values({metric}, {name})")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".*")
            .hide(VariableHide.DONT_HIDE)
        )
    for part in (summary, models, traffic, service):
        board = part(board)
    return board.build()


def to_json() -> str:
    return JSONEncoder(sort_keys=True, indent=2).encode(build()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(to_json())
