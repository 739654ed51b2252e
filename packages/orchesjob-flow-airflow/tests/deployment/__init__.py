"""Flows on a deployed Airflow, with all of its processes."""
