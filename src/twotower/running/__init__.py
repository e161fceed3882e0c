"""One run: experiment, evaluation against baselines, result, artifacts."""
