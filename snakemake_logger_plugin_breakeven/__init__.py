"""What `snakemake` says with ``logger: breakeven`` in its profile: a bar on a terminal, else a line for each job.

All that Snakemake says is in its own log, under ``.snakemake/log``. Where its own output is asked for (``--verbose``,
``--printshellcmds``, ``--debug-dag``, ``--quiet``, ``--show-failed-logs``), this plugin stands aside.

The package ``breakeven`` is imported late: the Snakefile says where it lies.
"""

import sys
import threading
from logging import LogRecord

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_breakeven.ending import told_at_the_end
from snakemake_logger_plugin_breakeven.invocation import Invocation
from snakemake_logger_plugin_breakeven.plan import told_of_plan
from snakemake_logger_plugin_breakeven.screen import Lines, Screen, Terminal

SECONDS_BETWEEN_LOOKS = 1.0


class LogHandler(LogHandlerBase):
    """The handler that Snakemake makes; its records come one by one, in a thread of their own."""

    def __post_init__(self) -> None:
        settings = self.common_settings
        self._aside = bool(
            settings.verbose
            or settings.printshellcmds
            or settings.debug_dag
            or settings.quiet
            or settings.show_failed_logs
        )
        stream = sys.stdout if settings.stdout else sys.stderr
        self._invocation = Invocation()
        self._screen: Screen = Terminal(stream) if stream.isatty() and not settings.dryrun else Lines(stream)
        self._over = threading.Event()
        if not self._aside:
            threading.Thread(target=self._look_again, daemon=True).start()

    def emit(self, record: LogRecord) -> None:
        """Tell what is new with this record."""
        if self._aside:
            return
        try:
            for line in self._invocation.heard(record):
                self._screen.say(line)
            if record.__dict__.get("event") in (LogEvent.JOB_STARTED, LogEvent.PROGRESS):
                self._screen.draw(self._invocation)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Tell how it ended."""
        if not self._aside and not self._over.is_set():
            self._over.set()
            with self.lock or threading.RLock():
                self._screen.clear()
                told = told_of_plan if self.common_settings.dryrun else told_at_the_end
                for line in told(self._invocation):
                    self._screen.say(line)
        super().close()

    def _look_again(self) -> None:
        """Draw once a second, since long jobs say nothing to Snakemake."""
        while not self._over.wait(SECONDS_BETWEEN_LOOKS):
            with self.lock or threading.RLock():
                if not self._over.is_set():
                    for line in self._invocation.failures():
                        self._screen.say(line)
                    self._screen.draw(self._invocation)

    @property
    def writes_to_stream(self) -> bool:
        """Not where it stands aside: Snakemake then writes."""
        return not self._aside

    @property
    def writes_to_file(self) -> bool:
        """Snakemake has its own."""
        return False

    @property
    def has_filter(self) -> bool:
        """All records are wanted."""
        return True

    @property
    def has_formatter(self) -> bool:
        """It has words of its own."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """It needs none."""
        return False
