"""The close pack: workbook, page, CSVs and manifest of a month, and the index of all months."""
