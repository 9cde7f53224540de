"""The words in which a stream is declared: table, source, rule, check, signed content, stream. No mechanism, no content."""
