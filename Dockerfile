# Serves a model of MLflow's registry: twotower and MLflow, with torch's build for CPUs.
#   docker build -t twotower .
#   docker run -p 5001:5001 -e MLFLOW_TRACKING_URI=http://mlflow:5000 twotower
# compose.yaml runs it next to an MLflow server and PostgreSQL.
FROM python:3.11-slim-bookworm

# torch needs OpenMP; curl is for the health check.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl=7.* libgomp1=12.* \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY conf conf
COPY src src
RUN pip install --no-cache-dir --constraint constraints.txt \
        --extra-index-url https://download.pytorch.org/whl/cpu . psycopg2-binary==2.9.13

# A volume mounted on artifacts takes its owner.
RUN useradd --create-home --uid 1000 twotower \
    && install --directory --owner=twotower /home/twotower/artifacts
USER 1000
WORKDIR /home/twotower

# What is served: an address of the registry or of a run, runs:/<id>/model.
ENV MODEL=models:/movies@champion \
    PORT=5001 \
    WORKERS=1 \
    MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false
EXPOSE 5001
HEALTHCHECK --start-period=60s --interval=10s \
    CMD ["sh", "-c", "curl --fail --silent http://127.0.0.1:$PORT/ping"]
CMD ["sh", "-c", "exec mlflow models serve -m $MODEL --env-manager local -h 0.0.0.0 -p $PORT -w $WORKERS"]
