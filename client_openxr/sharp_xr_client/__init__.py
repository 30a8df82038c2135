"""The client's side: where the headset is."""
