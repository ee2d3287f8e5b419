"""Installers behind the gate of which only the settings are known: poetry, pdm, pipx, hatch, pip-tools."""
