"""The endpoints of the gateway and the clients for them."""
