"""From files to a staging table: what each file is, and all its rows parsed and judged on their own."""
