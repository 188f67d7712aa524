"""What a developer's machine needs: a private PostgreSQL, the demo's processes, what apt brings."""
