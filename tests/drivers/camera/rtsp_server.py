"""A real RTSP server (GStreamer's, H.264) that shows the frames it gets on its standard input: JPEGs, each behind its
length in four bytes. Run by the system's Python, which has GStreamer's bindings. Prints its port.

Debian: python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good
gstreamer1.0-plugins-ugly
"""

import struct
import sys
import threading

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402

PIPELINE = (
    "( appsrc name=frames is-live=true do-timestamp=true format=time caps=image/jpeg ! jpegdec ! videoconvert "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! h264parse "
    "! rtph264pay name=pay0 pt=96 config-interval=1 )"
)


class Factory(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc]
    """One pipeline for whoever comes; the newest goes on getting the frames."""

    source = None

    def do_configure(self, media: object) -> None:
        self.source = media.get_element().get_by_name("frames")  # type: ignore[attr-defined]


def main() -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=sys.argv[1])
    factory = Factory()
    factory.set_launch(PIPELINE)
    factory.set_shared(True)
    if len(sys.argv) > 2:
        protect(server, factory, *sys.argv[2].split(":"))
    server.get_mount_points().add_factory("/gate", factory)
    if not server.attach(None):
        sys.exit("the port is taken")
    loop = GLib.MainLoop()
    threading.Thread(target=feed, args=(factory, loop), daemon=True).start()
    print(server.get_bound_port(), flush=True)  # noqa: T201
    loop.run()


def protect(server: object, factory: object, user: str, password: str) -> None:
    """Only this user may come in."""
    auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)  # type: ignore[attr-defined]
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("user", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
    permissions.add_permission_for_role("user", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
    factory.set_permissions(permissions)  # type: ignore[attr-defined]


def feed(factory: Factory, loop: object) -> None:
    """Frames from the standard input, until it ends."""
    while len(head := sys.stdin.buffer.read(4)) == 4:
        jpeg = sys.stdin.buffer.read(struct.unpack(">I", head)[0])
        if factory.source is not None:
            factory.source.emit("push-buffer", Gst.Buffer.new_wrapped(jpeg))
    loop.quit()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
