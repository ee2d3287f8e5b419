"""veln-hook: pip judges what it is about to install, before a byte of it is downloaded.

Every interpreter of a protected environment imports this package at start-up
(through ``veln_hook_startup.pth``), so this module imports nothing at all.
"""

__version__ = "0.1.0"
