"""Bytes ↔ values, and who may say what when. It knows no socket and no asyncio."""
