"""What the web and worker roles may do with people, sessions and Django's own tables."""

from django.db import migrations

GRANTS = """
GRANT SELECT, INSERT, UPDATE ON accounts_user TO portal_web, portal_worker;
GRANT USAGE ON SEQUENCE accounts_user_id_seq TO portal_web, portal_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON django_session TO portal_web;
GRANT SELECT, INSERT ON django_admin_log TO portal_web;
GRANT USAGE ON SEQUENCE django_admin_log_id_seq TO portal_web;
GRANT SELECT ON django_content_type, django_migrations TO portal_web, portal_worker;
GRANT SELECT ON auth_permission, auth_group TO portal_web;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("sessions", "0001_initial"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunSQL(GRANTS, migrations.RunSQL.noop)]
