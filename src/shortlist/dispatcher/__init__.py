"""The dispatcher: the only room that talks to ComfyUI servers."""
