"""What several records share, or what would make one too long: data of networks, bounds on chance, named mistakes."""
