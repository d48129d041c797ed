"""The service and its database under fault: nothing lost, nothing doubled."""
