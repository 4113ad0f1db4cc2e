"""crestline finds the highest load an LLM service sustains within its SLA, and shows the evidence."""
