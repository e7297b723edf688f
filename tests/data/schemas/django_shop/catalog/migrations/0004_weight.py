from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_rename_and_widen")]

    operations = [
        migrations.RunSQL(
            [
                "ALTER TABLE catalog_item ADD COLUMN weight integer NULL",
                ("CREATE INDEX item_by_weight ON catalog_item (weight)", None),
            ],
            reverse_sql="ALTER TABLE catalog_item DROP COLUMN weight",
            state_operations=[migrations.AddField("item", "weight", models.IntegerField(null=True, db_index=True))],
        ),
    ]
