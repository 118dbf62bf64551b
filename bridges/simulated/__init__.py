"""Cameras, recorders and platforms that are not there: for tests, for demonstrations, and to try an installation without one.

They speak as real ones do, faults included (``quirks``), and are written apart from the code that they call: of ``bridges``
they use only SIP's core, of ``commhub.wire`` only what writes packets.

``rtsp`` is a camera with an address. ``device`` is a recorder of GB/T 28181 that calls in, ``tree`` makes it a platform of a
district. Below them: ``agent`` signs in and sends messages, ``answers`` and ``controls`` are its XML, ``offer`` and ``stream``
its media, ``film`` and ``packing`` the pictures.
"""
