"""Flows on a whole Airflow instead of in one process."""
