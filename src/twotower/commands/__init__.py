"""The commands other than train; each is the object of a file in conf/."""
