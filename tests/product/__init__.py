"""The whole product as its users meet it: the real processes, browsers and cameras on loopback."""
