"""The protocol of one API call, sans-IO: steps, retries, URLs, envelopes, errors."""
