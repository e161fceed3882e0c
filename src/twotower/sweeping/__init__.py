"""Many runs: plan, search, resume, results."""
