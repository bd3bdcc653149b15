"""Visits, tries to sign in, and what the web and worker roles may do with them and with second factors."""

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


GRANTS = """
GRANT SELECT, INSERT, UPDATE ON accounts_visit TO portal_web;
GRANT SELECT, UPDATE, DELETE ON accounts_visit TO portal_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON accounts_tries TO portal_web;
GRANT SELECT, DELETE ON accounts_tries TO portal_worker;
-- Workers take out what has expired, and read no session.
GRANT SELECT (expire_date), DELETE ON django_session TO portal_worker;
-- The command line may reset a second factor, and reads no secret.
GRANT SELECT, INSERT, UPDATE, DELETE ON otp_totp_totpdevice, otp_static_staticdevice, otp_static_statictoken TO portal_web;
GRANT USAGE ON SEQUENCE otp_totp_totpdevice_id_seq, otp_static_staticdevice_id_seq, otp_static_statictoken_id_seq
    TO portal_web;
GRANT SELECT (user_id), UPDATE (confirmed) ON otp_totp_totpdevice, otp_static_staticdevice TO portal_worker;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_grants'),
        ('otp_totp', '0003_add_timestamps'),
        ('otp_static', '0003_add_timestamps'),
        ('sessions', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Tries',
            fields=[
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('tries', models.PositiveIntegerField(default=0)),
                ('tried_at', models.DateTimeField(db_index=True)),
                ('blocked_until', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'verbose_name_plural': 'tries',
            },
        ),
        migrations.CreateModel(
            name='Visit',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('how', models.CharField(choices=[('entra', 'Microsoft'), ('local', 'Password')], max_length=10)),
                ('started_at', models.DateTimeField()),
                ('seen_at', models.DateTimeField(help_text='The last request that the person made, not an open page.')),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_why', models.CharField(blank=True, max_length=100)),
                ('address', models.CharField(blank=True, help_text='The network address at sign-in.', max_length=64)),
                ('browser', models.CharField(blank=True, help_text='What the browser calls itself.', max_length=200)),
                ('alarm_due_at', models.DateTimeField(blank=True, help_text='A worker is to tell staff of this sign-in.', null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='visits', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-seen_at'],
                'indexes': [models.Index(condition=models.Q(('ended_at', None)), fields=['user'], name='visits_that_go_on'), models.Index(condition=models.Q(('alarm_due_at__isnull', False)), fields=['alarm_due_at'], name='visits_to_alarm_about')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('ended_why', '')), models.Q(('ended_at__isnull', False), models.Q(('ended_why', ''), _negated=True)), _connector='OR'), name='a_visit_that_ended_says_why')],
            },
        ),
        migrations.RunSQL(GRANTS, migrations.RunSQL.noop),
    ]
