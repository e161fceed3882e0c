"""The sweeper that hands a Hydra multirun to twotower."""
