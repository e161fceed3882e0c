"""The report of a sweep: terminal table, figures, HTML report, MLflow description."""
