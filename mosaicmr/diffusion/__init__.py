"""Networks that encode slices, embed prompts, predict and sample; nothing here trains."""
