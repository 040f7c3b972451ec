"""Files of rows: each format read whole, under limits, into one kind of table."""
