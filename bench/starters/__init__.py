"""What `bench new` writes: a whole suite file and a whole method, which run as they are."""
