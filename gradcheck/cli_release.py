"""The instructor's release: release. Adapters only; heavy imports come late."""

from __future__ import annotations

from click import Command

COMMANDS: tuple[Command, ...] = ()
