"""Programs of their own that play the outside world: they share nothing with the application but HTTP and SMTP."""
