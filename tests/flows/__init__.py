"""What a flow file can say, and what comes of it when the flow runs."""
