"""An examination of a gateway: what works with this token and this address, at no cost.

Everything it says was seen in real exchanges: it sends calls the way applications do and watches
the wire while they are made. It knows no terminal; the command of the same name prints it.
"""

from xai_lowcode.doctor.diagnosis import Diagnosis, Problem
from xai_lowcode.doctor.examination import examine
from xai_lowcode.doctor.findings import Finding
from xai_lowcode.doctor.report import report
from xai_lowcode.doctor.streaming import Streaming
from xai_lowcode.doctor.trials import Attempt, Trial

__all__ = [
    "Attempt",
    "Diagnosis",
    "Finding",
    "Problem",
    "Streaming",
    "Trial",
    "examine",
    "report",
]
