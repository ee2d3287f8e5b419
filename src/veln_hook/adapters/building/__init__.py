"""What confining the builds of an installer takes, whichever installer it is."""
