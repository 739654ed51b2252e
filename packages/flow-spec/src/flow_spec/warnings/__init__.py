"""What is valid in a flow file and still looks wrong, and what is proven about it (rule 11.2)."""
