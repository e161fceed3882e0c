"""Train, validation and test parts of a log, and the fold of tensors made from them."""
