"""Boolean conditions over named things, three-valued and without recursion."""
