"""Hydra's launcher on Ray: the trials of a sweep on this machine or on a cluster.

It is in the namespace package `hydra_plugins`, where Hydra looks for launchers. At each start Hydra
imports every module there whose name has no leading underscore.
"""
