"""A Power BI project, written from what the streams declare: its model as TMDL, its report as PBIR, both text."""
