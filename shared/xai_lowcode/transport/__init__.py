"""HTTP transport: connections, requests, responses and failures. The only package with httpx."""
