"""What happens when a DAG file is run: a flow is read, checked, and made into tasks and edges."""
