"""The room that speaks ComfyUI: the client, its messages, and workflows as plain data."""
