from django.db import migrations, models


def fill(apps, schema_editor):
    Book = apps.get_model("catalog", "Book")
    Book.objects.filter(isbn=None).update(isbn="")


FILL_PAGES = """
    UPDATE catalog_book
    SET pages = 0
    WHERE pages IS NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_rename_and_widen")]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunSQL(FILL_PAGES, migrations.RunSQL.noop),
        migrations.AlterField("book", "isbn", models.CharField(max_length=13, unique=True)),
        migrations.RemoveField("book", "pages"),
    ]
