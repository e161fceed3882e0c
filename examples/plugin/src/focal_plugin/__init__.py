"""Components for twotower: a loss, a sampler and a metric."""
