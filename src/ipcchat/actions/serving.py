"""What the operator at the server's own screen does to the server: `reload` and `shutdown`."""

from ipcchat.actions import operations
from ipcchat.actions.face import Face
from ipcchat.actions.question import Question

__all__ = ["serve"]


async def serve(face: Face, name: str) -> None:
    """Does the command; asks before others are cut off. Raises IpcchatError."""
    if name == "reload":
        await operations.reload(face.session)
        face.show("the settings were read again", "help")
        return
    found = await operations.sessions(face.session)
    others = sum(item.address != "console" for item in found)
    if not others:
        await _stop(face)
        return
    words = f"{others} other{'s' * (others != 1)} connected: shut down?  y yes · n no"
    face.ask(Question(words, {"y": lambda: face.spawn(_stop(face))}))


async def _stop(face: Face) -> None:
    await operations.shutdown(face.session)
    face.show("the server is shutting down")
