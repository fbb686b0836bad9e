"""The HTTP service: `app` puts it together, the rest is what the operator looks at (health, metrics)."""
