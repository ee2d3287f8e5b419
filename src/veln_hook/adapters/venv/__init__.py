"""Virtual environments that a protected interpreter makes: each is led to the same protection."""
