"""The pages between the password and the console, and the gate that asks them of every request (registry.sign_in)."""
