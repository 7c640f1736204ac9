"""The training doctor: watches a run by cheap signals and says in words what goes wrong; see docs/doctor.md.

One file per family of ailments; `checkup.py` holds what a checkup sees, `watch.py` the callback.
"""

from nacre.engine.doctor.alarm import Alarm, alarms

__all__ = ["Alarm", "alarms"]
