"""What a task learns of its DAG run, and what it notes there for the tasks after it."""
