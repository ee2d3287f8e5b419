"""One signal a module; ``registry`` lists them."""
