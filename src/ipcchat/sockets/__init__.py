"""Sockets: how they are opened, and how bytes leave and come."""
