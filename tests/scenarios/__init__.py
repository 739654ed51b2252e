"""What people use the program for, from beginning to end, over several commands."""
