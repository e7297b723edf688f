from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("catalog", "0004_book_isbn"), ("catalog", "0004_weight")]

    operations = []
