"""Whom one deals with: certificates, keys, pins; no socket, no asyncio."""
