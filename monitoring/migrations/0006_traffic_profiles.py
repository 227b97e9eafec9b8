
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('monitoring', '0005_second_opinions'),
    ]

    operations = [
        migrations.CreateModel(
            name='TrafficProfile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('model', models.CharField(max_length=200)),
                ('grain', models.CharField(choices=[('hour', 'hour'), ('day', 'day')], max_length=6)),
                ('bucket', models.DateTimeField(help_text='Where the hour or day begins (UTC).')),
                ('version', models.IntegerField()),
                ('segment', models.CharField(blank=True, max_length=200)),
                ('payload', models.BinaryField()),
            ],
        ),
        migrations.AddField(
            model_name='trafficsum',
            name='profile',
            field=models.BinaryField(help_text="A slot's encoded profile, so that nobody need decode the payload.", null=True),
        ),
        migrations.AddField(
            model_name='trafficsum',
            name='profiled_at',
            field=models.DateTimeField(help_text='When an hour was added to the profiles; empty: not yet.', null=True),
        ),
        migrations.AddIndex(
            model_name='evaluation',
            index=models.Index(fields=['model', 'kind', 'at', 'monitor', 'version', 'verdict'], name='evaluation_timeline'),
        ),
        migrations.AddIndex(
            model_name='trafficsum',
            index=models.Index(condition=models.Q(('profiled_at', None), ('span', 'hour')), fields=['model', 'start_at'], name='traffic_sum_unprofiled'),
        ),
        migrations.AddConstraint(
            model_name='trafficprofile',
            constraint=models.UniqueConstraint(fields=('model', 'grain', 'bucket', 'version', 'segment'), name='traffic_profile_key'),
        ),
    ]
