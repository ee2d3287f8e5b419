"""Protection switched on and off from outside: of an environment, of a user, of a whole machine.

What is switched on imports nothing of this room: it is for the command line alone.
"""
