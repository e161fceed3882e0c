"""Many runs: plan, search, resume, outcomes."""
