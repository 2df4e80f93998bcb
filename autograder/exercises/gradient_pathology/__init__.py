"""The exercises of the assignment gradient-pathology, in both language editions."""

HAND_GRADED = ("depth_study_plot", "depth_study_findings")
"""grade_ids of the cells that no check judges and a person grades."""
