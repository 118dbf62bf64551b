"""/cameras/{id}/voice: speaking through a camera's loudspeaker."""

from __future__ import annotations

from commhub.api.routes import Call, Routes
from commhub.api.walls import Opening
from commhub.desk.voices import Voices


def routes(voices: Voices) -> Routes:
    r = Routes()

    @r.post(
        "/cameras/{id}/voice", "camera.voice", "The microphone that the terminal publishes in its view goes there.", status=204
    )
    async def speak(call: Call, body: Opening) -> None:
        await voices.speak(call.actor, call.path("id"), body.terminal)

    @r.delete("/cameras/{id}/voice", "camera.voice", "Speak there no more.")
    async def hush(call: Call) -> None:
        await voices.hush(call.actor, call.path("id"))

    return r
