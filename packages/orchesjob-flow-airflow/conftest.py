"""Nothing here is collected where Airflow is not installed; the session `airflow` installs it."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("airflow") else ["*"]
