"""What several records share: layers, labels, the networks and their data, bounds on chance."""
