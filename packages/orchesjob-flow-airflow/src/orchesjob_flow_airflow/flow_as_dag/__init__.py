"""A flow as a DAG: each step is a task, and Airflow decides when it runs."""
