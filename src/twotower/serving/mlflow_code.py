"""The code in the folder of an MLflow model: it only names twotower's own class."""

from mlflow.models import set_model

from twotower.serving.mlflow_model import MlflowModel

set_model(MlflowModel())
