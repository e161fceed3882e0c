"""How a sweep is shown: terminal table, figures, HTML report, MLflow description."""
