"""What is measured, against what; the results stand beside, as Markdown."""
