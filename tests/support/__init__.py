"""What tests are made of: builders of distributions, a real index, real virtualenvs; see README.md beside this file."""

from __future__ import annotations
