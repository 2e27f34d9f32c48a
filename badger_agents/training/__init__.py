"""The outer loop: meta-training, its curriculum, checkpoints and logs."""
