"""Greenroom: a Socket.IO event server for conversations that are practised, replayed, judged and watched."""
