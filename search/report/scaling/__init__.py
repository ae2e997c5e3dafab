"""The best rate and batch from small to large: read from studies, fitted, predicted, compared with published laws."""
