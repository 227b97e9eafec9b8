"""Labels from before weights speak for one prediction each: 1,000 thousandths."""

from django.db import migrations
from django.db.models import F


def weigh(apps, schema_editor):
    cells = apps.get_model("monitoring", "ConfusionCell")
    cells.objects.update(weight=F("n") * 1000, weight_squared=F("n") * 1_000_000)


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0003_watching")]
    operations = [migrations.RunPython(weigh, migrations.RunPython.noop)]
