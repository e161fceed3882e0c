"""Nothing about recommenders: errors, seeding, secrets, files, one on-disk cache, the console."""
