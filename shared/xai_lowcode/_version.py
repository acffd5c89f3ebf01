"""The version, in its only place: the build, the user agent and both adapters read it here."""

__version__ = "0.1.0"
