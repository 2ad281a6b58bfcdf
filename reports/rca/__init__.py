"""The root-cause report, whatever it is written in: a run becomes sections, and sections become Markdown or HTML."""
