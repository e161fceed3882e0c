"""A model's embeddings and towers in the formats of other tools, one module per format."""
