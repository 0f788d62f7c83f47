"""Base model, latents, prompts' embeddings and one fine-tuned expert per domain."""
