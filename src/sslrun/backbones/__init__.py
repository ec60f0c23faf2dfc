"""Encoders over torchvision, timm, transformers and our own nets."""
