"""The policy room: what the files say, how their layers merge, and what that makes of a finding.

Import the modules by name; this one stays empty so that ``decide`` pulls in neither disk nor clock.
"""

from __future__ import annotations
