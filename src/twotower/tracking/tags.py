"""The tags by which runs are found and compared. Does not import MLflow."""

__all__ = ["BASELINE_TAG", "EVALUATION_TAG", "MONITOR_TAG", "REPEAT_TAG", "SWEEP_TAG"]

BASELINE_TAG = "baseline"  # of the run of a baseline
SWEEP_TAG = "sweep.id"  # of the parent run of a sweep
EVALUATION_TAG = "evaluation"  # with `.validation` or `.test`: the conditions on that part
REPEAT_TAG = "trial.repeat"  # of a trial: the seed and fold of its setting
MONITOR_TAG = "monitor"  # the metric that the run is chosen by, such as ndcg_at_10
