"""The networks, one module each; ``registry`` names them."""
