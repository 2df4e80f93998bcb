"""The exercises of the assignment gradient-pathology, in both language editions."""

HAND_GRADED = {"depth_study_plot": 2.0, "depth_study_findings": 2.0}
"""grade_id -> points of the cells that no check judges and a person grades."""
