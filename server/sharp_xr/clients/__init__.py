"""Those who watch: a session for each client, and other players by WHEP."""
