"""Pure measures of features and scores: tensors in, numbers out."""
