"""Python runs this at its start: the SDK trusts what certifi names, and a test has an authority of its own."""

import os

import certifi

if "AUTHORITY" in os.environ:
    certifi.where = lambda: os.environ["AUTHORITY"]
