"""The commands: parse, call, print.

Here: what a command line says, usage texts, and what only a terminal shows. Not here: anything that a Python program
would want too. Read `commands` first, a function a command; what each does is in the module that it calls.
"""
