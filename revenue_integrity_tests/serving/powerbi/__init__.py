"""The Power BI project: model, report, files."""
