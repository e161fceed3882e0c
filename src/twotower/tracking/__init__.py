"""MLflow and nothing else: the life of a run, its artifacts, links, plots and the UI.

MLflow takes seconds to import, so only the modules that need it import it. The defaults below must
be set before that; variables that are already in the environment take precedence.
"""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # send no usage data
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # the CLI prints the link
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # small files, many bars
