"""The bundled base model, trained on simulated slices alone."""
