"""The bundled base model, from simulated slices alone."""
