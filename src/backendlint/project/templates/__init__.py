"""Templates of Django's, Jinja's and Tornado's languages: what they read of the values that views pass to them."""
