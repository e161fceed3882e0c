"""Hydra's launcher on Ray: the trials of a sweep on this machine or on a cluster.

It lies in the namespace package `hydra_plugins`, where Hydra looks for launchers. Hydra imports
every module there at each start, those with a leading underscore excepted.
"""
