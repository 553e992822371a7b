"""Runs turns: who speaks next, streaming, stopping, leases, interrupted replies."""

from server.engine.conversation.conversation import Conversation

__all__ = ["Conversation"]
