"""The gateway: protocols, the draw of a version, engines, and the count of what came of it."""
