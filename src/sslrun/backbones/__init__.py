"""Encoders over torchvision, timm and our own nets."""
