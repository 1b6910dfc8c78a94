"""The report: records become pandas tables, and each format has one writer."""
