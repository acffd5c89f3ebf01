"""Requests that the emulated service refuses."""
