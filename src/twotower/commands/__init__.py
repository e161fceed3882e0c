"""What the command line does besides training; each command is the object of a file in conf/."""
