"""One attempt at a step through orchesjob. Nothing here knows Airflow, but for what a try is."""
