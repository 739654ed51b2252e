"""What is proven about flows, compared with all that they can do."""
