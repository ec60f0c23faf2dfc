"""Encoders: torchvision, timm, transformers, and our own networks."""
