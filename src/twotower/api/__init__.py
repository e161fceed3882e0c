"""The functions of `import twotower`, one per module.

Their modules import what takes seconds when they are called, so that `import twotower` is fast.
"""
