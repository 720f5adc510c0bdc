"""What a config will take, before it runs."""
