"""Many runs as one: what varies, what became of each trial, and what it says."""
