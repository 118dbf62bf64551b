"""GStreamer's RTSP server as a camera that nobody here wrote: H.264, digest, TCP only. Run by Debian's own Python:

    /usr/bin/python3 gst_camera.py --port 27010 --user admin --password … [--transport tcp|udp] [--b-frames] [--h265]

Needs python3-gi, gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-{base,good,bad,ugly} and gstreamer1.0-libav. Prints "ready"
when it serves.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

SYSTEM_PYTHON = "/usr/bin/python3"


def start(port: int, user: str, password: str, *more: str) -> subprocess.Popen[str]:
    """The camera as a child of the test, serving when this returns. The caller ends it by its pid."""
    command = [SYSTEM_PYTHON, str(Path(__file__)), "--port", str(port), "--user", user, "--password", password, *more]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert child.stdout is not None
    line = child.stdout.readline().strip()
    if line != "ready":
        child.kill()
        child.wait()
        raise RuntimeError(f"The GStreamer camera did not start: {line!r}. Are its packages installed?")
    return child


def serve(options: argparse.Namespace) -> None:
    import gi  # type: ignore[import-not-found]

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtsp", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # type: ignore[import-not-found]

    Gst.init(None)
    picture = f"video/x-raw,format=I420,width={options.width},height={options.height},framerate={options.fps}/1"
    speed, profile = ("veryfast", "main") if options.b_frames else ("ultrafast", "constrained-baseline")
    frames = "bframes=2 b-adapt=false" if options.b_frames else "bframes=0 tune=zerolatency"
    encode = f"x264enc speed-preset={speed} {frames} key-int-max={options.fps} threads=1"
    encode += f" ! video/x-h264,profile={profile} ! rtph264pay name=pay0 pt=96"
    if options.h265:
        frames = "option-string=bframes=2" if options.b_frames else "option-string=bframes=0 tune=zerolatency"
        encode = f"x265enc speed-preset=ultrafast {frames} key-int-max={options.fps}"
        encode += " ! rtph265pay name=pay0 pt=96 config-interval=1"
    launch = f"( videotestsrc is-live=true pattern=ball ! {picture} ! timeoverlay ! {encode}"
    if options.audio == "alaw":
        launch += " audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8"
    elif options.audio == "aac":
        launch += " audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! avenc_aac ! rtpmp4gpay name=pay1 pt=97"
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(launch + " )")
    factory.set_shared(True)
    factory.set_protocols(GstRtsp.RTSPLowerTrans.TCP if options.transport == "tcp" else GstRtsp.RTSPLowerTrans.UDP)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(options.port))
    if options.user:
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth.add_digest(options.user, options.password, token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory(options.path, factory)
    if not server.attach(None):
        sys.exit("The port is taken.")
    print("ready", flush=True)
    GLib.MainLoop().run()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    parser.add_argument("--path", default="/cam")
    parser.add_argument("--transport", choices=["tcp", "udp"], default="tcp")
    parser.add_argument("--audio", choices=["", "alaw", "aac"], default="")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--b-frames", action="store_true")
    parser.add_argument("--h265", action="store_true")
    serve(parser.parse_args())


if __name__ == "__main__":
    main()
