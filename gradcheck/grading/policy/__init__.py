"""What an instructor decides: which exercises count how much, deadlines, help, who is who, limits. `course.toml`."""

from gradcheck.grading.policy.course import CallLimits, Course, load_course
from gradcheck.grading.policy.roster import Match, Roster, Student
from gradcheck.grading.policy.roster_file import load_roster

__all__ = ["CallLimits", "Course", "Match", "Roster", "Student", "load_course", "load_roster"]
