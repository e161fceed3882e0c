"""The tags by which runs are found and compared. Does not import MLflow."""

__all__ = ["BASELINE_TAG", "EVALUATION_TAG", "KEPT", "MODEL_TAG", "MONITOR_TAG", "REPEAT_TAG"]
__all__ += ["SWEEP_TAG"]

BASELINE_TAG = "baseline"  # of the run of a baseline
SWEEP_TAG = "sweep.id"  # of the parent run of a sweep
EVALUATION_TAG = "evaluation"  # with `.validation` or `.test`: the conditions on that part
REPEAT_TAG = "trial.repeat"  # of a trial: the seed and fold of its setting
MODEL_TAG, KEPT = "model", "kept"  # whether the run kept its model: KEPT, or why not
MONITOR_TAG = "monitor"  # the metric that the run is chosen by, such as ndcg_at_10
