"""The ``tinygrad-edu`` command: its arguments, its commands and the tables that they read."""
