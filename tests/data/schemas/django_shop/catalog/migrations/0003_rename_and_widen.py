import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_initial")]

    operations = [
        migrations.RenameField("item", "name", "title"),
        migrations.AlterField("item", "title", models.CharField(db_index=True, max_length=240)),
        migrations.RenameModel("Watch", "Subscription"),
        migrations.AddField("subscription", "muted", models.BooleanField(default=False)),
        migrations.AlterUniqueTogether("subscription", {("item", "member")}),
    ]
