"""Convert requests and completions between the APIs."""
