"""Reports of a run on itself: journals of trainings, causes of failures."""
