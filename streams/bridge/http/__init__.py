"""EventBridge over HTTP: an API destination posts each event."""
