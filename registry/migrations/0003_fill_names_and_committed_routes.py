"""Existing events learn their model's name; what is routed already counts as committed."""

from django.db import migrations


def fill(apps, schema_editor):
    Event = apps.get_model("registry", "Event")
    Model = apps.get_model("registry", "RegisteredModel")
    State = apps.get_model("registry", "RegistryState")
    state = State.objects.filter(pk=1).first()
    generation = state.generation if state else 0
    for model in Model.objects.prefetch_related("routes__version"):
        Event.objects.filter(model=model).update(model_name=f"{model.namespace}/{model.name}")
        Model.objects.filter(pk=model.pk).update(
            routes_generation=generation,
            committed_generation=generation,
            committed_routes=[
                {"version": route.version.number, "mode": route.mode, "weight": route.weight}
                for route in model.routes.order_by("position", "id")
            ],
        )


class Migration(migrations.Migration):
    dependencies = [("registry", "0002_hub_and_upkeep")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
