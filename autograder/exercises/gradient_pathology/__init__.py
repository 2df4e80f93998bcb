"""The exercises of the assignment gradient-pathology, in both language editions."""
