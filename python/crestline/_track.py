"""Tells W&B, SwanLab or ClearML of a measurement, in a process beside the program that measures.

The program starts it, writes a JSON object a line to its standard input and reads what it says, a
JSON object a line too. The first line in is how to open the tracker, the second `begin`, the last
`end`; where the input ends without one, the program is gone, and the run is ended as a failure. The
first line out is `ready` or `refused`.

Only the standard library is needed, and the package of the tracker. It measures nothing, and it
changes nothing but files of the tracker and the tracker's own service.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import re
import signal
import sys
import threading
from pathlib import Path
from typing import IO, Any, Callable, Protocol

Fields = dict[str, Any]

LONGEST_WHY = 600
"""Letters of an error that are told."""

ENDING_S = 30.0
"""How long a tracker may take to end after the program is gone, in seconds."""

EXITING_S = 10.0
"""How long the process may take to exit after everything is delivered, in seconds."""

LARGEST_PAGE = 30_000_000
"""Bytes of a page that is shown inside the tracker; a larger one is a file there only."""


class Refused(Exception):
    """The tracker cannot be used: `kind` is `package`, `login` or `other`."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class Tracker(Protocol):
    """What is made of each thing that is told."""

    def begin(self, begin: Fields) -> list[str]: ...
    def live(self, live: Fields) -> None: ...
    def load_done(self, done: Fields) -> None: ...
    def answer(self, answer: Fields) -> None: ...
    def artifact(self, artifact: Fields) -> None: ...
    def end(self, end: Fields) -> list[str]: ...


def package(name: str) -> Any:
    """The package of a tracker, untyped; refused where it is not installed or does not load."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if missing.split(".")[0] == name:
            raise Refused("package", f"there is no package {name}") from error
        raise Refused("other", f"the package {name} needs {missing}, which is missing") from error


def finite(pairs: list[tuple[str, float]]) -> dict[str, float]:
    """The values that a chart can show, by name."""
    return {name: value for name, value in pairs if math.isfinite(value)}


def x_of(done: Fields, varied: str) -> float | int:
    """Where a load lies on the axis of all: what was varied, or its number where that is open."""
    at: float | int = done["number"] if done[varied] is None else done[varied]
    return at


def client_words(done: Fields) -> str:
    """Whether the client was the bottleneck, and why."""
    client = done["client"]
    reasons = "; ".join(client.get("reasons", []))
    return f"{client['verdict']}: {reasons}" if reasons else str(client["verdict"])


def answer_table(answer: Fields) -> tuple[list[str], list[list[Any]]]:
    """The answers of a search as names of columns and rows."""
    rows: list[Fields] = answer["rows"]
    columns = list(rows[0]) if rows else []
    return columns, [[row[column] for column in columns] for row in rows]


class Wandb:
    """Weights & Biases. `WANDB_*` variables mean what they mean to its own client."""

    def __init__(self, opening: Fields) -> None:
        os.environ.setdefault("WANDB_SILENT", "true")
        if opening["key"]:
            # In the variable and not by a login, which would write the key into ~/.netrc.
            os.environ["WANDB_API_KEY"] = opening["key"]
        self.wandb = package("wandb")
        self.run: Any = None
        self.folder = ""
        self.varied = "parallel"
        self.files: list[Fields] = []

    def begin(self, begin: Fields) -> list[str]:
        settings = self.wandb.Settings(
            console="off", disable_git=True, save_code=False, silent=True, x_disable_stats=True
        )
        try:
            self.run = self.wandb.init(
                project=os.environ.get("WANDB_PROJECT") or begin["project"],
                name=begin["name"],
                dir=os.environ.get("WANDB_DIR") or begin["folder"],
                config=begin["config"],
                tags=[value[:64] for _, value in begin["tags"] if value],
                settings=settings,
            )
        except Exception as error:
            kind = "login" if "api_key" in str(error) or "log in" in str(error) else "other"
            raise Refused(kind, brief(error)) from error
        self.folder, self.varied = begin["folder"], begin["varied"]
        for family, axis in (("live", "time_s"), ("final", self.varied)):
            self.run.define_metric(f"{family}/{axis}")
            self.run.define_metric(f"{family}/*", step_metric=f"{family}/{axis}")
        if self.run.settings.mode == "online":
            return [str(self.run.url)]
        return []

    def live(self, live: Fields) -> None:
        values = {f"live/{name}": value for name, value in finite(live["values"]).items()}
        self.run.log({"live/time_s": live["time_s"], "live/load_number": live["number"], **values})

    def load_done(self, done: Fields) -> None:
        finals = finite(done["values"])
        values = {f"final/{name}": value for name, value in finals.items()}
        table = done["percentiles"]
        rows = self.wandb.Table(columns=table["columns"], data=table["rows"])
        key = f"percentiles/{done['key']}"
        self.run.log({f"final/{self.varied}": x_of(done, self.varied), **values, key: rows})
        self.run.summary[done["key"]] = {**finals, "client": client_words(done)}

    def answer(self, answer: Fields) -> None:
        columns, rows = answer_table(answer)
        self.run.log({"sla/answer": self.wandb.Table(columns=columns, data=rows)})
        self.run.summary["sla_answer"] = answer["rows"]

    def artifact(self, artifact: Fields) -> None:
        self.files.append(artifact)
        path = Path(artifact["path"])
        if artifact["kind"] == "page" and path.stat().st_size <= LARGEST_PAGE:
            self.run.log({"report": self.wandb.Html(path.read_text("utf-8"), inject=False)})
        elif path.suffix == ".svg":
            picture = self.wandb.Html(path.read_text("utf-8"), inject=False)
            self.run.log({f"figures/{path.stem}": picture})

    def end(self, end: Fields) -> list[str]:
        if self.files:
            results = self.wandb.Artifact(f"results-{self.run.id}", type="results")
            for file in self.files:
                results.add_file(file["path"], name=file["name"])
            self.run.log_artifact(results)
        mode, folder = self.run.settings.mode, Path(self.run.dir).parent
        self.run.finish(exit_code=end["exit"])
        return [f"wandb sync {folder} uploads the run"] if mode == "offline" else []


class Swanlab:
    """SwanLab, in its cloud, on a host of one's own, local or offline (`SWANLAB_MODE`)."""

    def __init__(self, opening: Fields) -> None:
        self.key, self.host = opening["key"], opening["host"] or os.environ.get("SWANLAB_HOST")
        self.mode = "local" if self.key == "local" else os.environ.get("SWANLAB_MODE")
        # Nothing is asked of a user who cannot answer, and nothing is sampled beside the load.
        for name in ("INTERACTIVE", "PROBE_MONITOR", "PROBE_REQUIREMENTS", "PROBE_GIT"):
            os.environ.setdefault(f"SWANLAB_{name}", "false")
        os.environ.setdefault("SWANLAB_TERMINAL_PROXY_TYPE", "none")
        self.swanlab = package("swanlab")
        if self.mode == "local":
            try:
                importlib.import_module("swanboard")
            except ModuleNotFoundError as error:
                raise Refused("dashboard", "there is no package swanboard") from error
        self.run: Any = None
        self.logs = ""
        self.varied = "parallel"
        self.step = 0

    def begin(self, begin: Fields) -> list[str]:
        self.logs = os.environ.get("SWANLAB_LOG_DIR") or str(Path(begin["folder"], "swanlog"))
        try:
            if self.key and self.key != "local":
                host = {"host": self.host} if self.host else {}
                self.swanlab.login(api_key=self.key, save=False, **host)
            elif self.host:
                os.environ["SWANLAB_API_HOST"] = self.host
            self.run = self.swanlab.init(
                project=os.environ.get("SWANLAB_PROJ_NAME") or begin["project"],
                workspace=os.environ.get("SWANLAB_WORKSPACE") or None,
                experiment_name=begin["name"],
                config=begin["config"],
                tags=[value for _, value in begin["tags"] if value],
                logdir=self.logs,
                mode=self.mode,
            )
        except Exception as error:
            kind = "login" if "API key" in str(error) or "login" in str(error) else "other"
            raise Refused(kind, brief(error)) from error
        if self.mode == "local" and not Path(self.logs, "runs.swanlab").exists():
            # A dashboard of another version is passed over, and the run would be shown nowhere.
            raise Refused("dashboard", "the package swanboard is not the one that swanlab needs")
        self.varied = begin["varied"]
        if hasattr(self.run, "define_metric"):
            for family, axis in (("live", "time_s"), ("final", self.varied)):
                self.run.define_metric(f"{family}/*", x_axis=f"{family}/{axis}")
        if self.mode in (None, "online", "cloud"):
            url = getattr(self.run, "url", None)
            return [str(url)] if url else []
        return []

    def log(self, values: Fields) -> None:
        self.swanlab.log(values, step=self.step)
        self.step += 1

    def log_table(self, key: str, columns: list[str], rows: list[list[Any]]) -> None:
        table = self.swanlab.echarts.Table()
        table.add(columns, [["" if cell is None else cell for cell in row] for row in rows])
        self.log({key: table})

    def live(self, live: Fields) -> None:
        values = {f"live/{name}": value for name, value in finite(live["values"]).items()}
        self.log({"live/time_s": live["time_s"], "live/load_number": live["number"], **values})

    def load_done(self, done: Fields) -> None:
        values = {f"final/{name}": value for name, value in finite(done["values"]).items()}
        self.log({f"final/{self.varied}": x_of(done, self.varied), **values})
        table = done["percentiles"]
        self.log_table(f"percentiles/{done['key']}", table["columns"], table["rows"])
        words = f"{done['load']}: client {client_words(done)}"
        self.log({f"client/{done['key']}": self.swanlab.Text(words)})

    def answer(self, answer: Fields) -> None:
        self.log_table("sla/answer", *answer_table(answer))

    def artifact(self, artifact: Fields) -> None:
        path = Path(artifact["path"])
        shown = artifact["kind"] == "page" or path.suffix == ".svg"
        html = getattr(self.swanlab, "Html", None)
        if html and shown and path.stat().st_size <= LARGEST_PAGE:
            self.log({f"report/{path.stem}": html(path.read_text("utf-8"))})
        if hasattr(self.run, "save"):
            folder = str(path)[: -len(artifact["name"])]
            self.run.save(str(path), base_path=folder, policy="now")

    def end(self, end: Fields) -> list[str]:
        state = {"done": "success", "interrupted": "aborted"}.get(end["status"], "crashed")
        folder = str(getattr(self.run, "dir", ""))
        if state == "crashed":
            self.swanlab.finish(state=state, error=f"exit code {end['exit']}")
        else:
            self.swanlab.finish(state=state)
        if self.mode == "local":
            return [f"swanlab watch {self.logs} shows the run"]
        return [f"swanlab sync {folder} uploads the run"] if self.mode == "offline" else []


class Clearml:
    """ClearML, by its own configuration; `CLEARML_OFFLINE_MODE=1` keeps the run on disk."""

    def __init__(self, opening: Fields) -> None:
        self.clearml = package("clearml")
        self.task: Any = None
        self.logger: Any = None
        self.varied = "parallel"

    def begin(self, begin: Fields) -> list[str]:
        try:
            self.task = self.clearml.Task.init(
                project_name=os.environ.get("CLEARML_PROJECT_NAME") or begin["project"],
                task_name=begin["name"],
                task_type=self.clearml.Task.TaskTypes.testing,
                tags=[value for _, value in begin["tags"] if value],
                reuse_last_task_id=False,
                auto_connect_arg_parser=False,
                auto_connect_frameworks={"detect_repository": False},
                auto_connect_streams=False,
                auto_resource_monitoring=False,
            )
        except BaseException as error:  # it ends the process where it has no configuration
            kind = "login" if re.search("configure|credential", str(error), re.I) else "other"
            raise Refused(kind, brief(error)) from error
        self.logger, self.varied = self.task.get_logger(), begin["varied"]
        self.logger.set_flush_period(1.0)
        self.task.connect(begin["config"], name="crestline")
        return [] if self.task.is_offline() else [self.task.get_output_log_web_page()]

    def scalars(self, title: str, values: dict[str, float], iteration: int) -> None:
        for name, value in values.items():
            self.logger.report_scalar(title, name, value=value, iteration=iteration)

    def live(self, live: Fields) -> None:
        self.scalars("live", finite(live["values"]), round(live["time_s"]))

    def load_done(self, done: Fields) -> None:
        values, at = finite(done["values"]), x_of(done, self.varied)
        # Iterations are whole: loads of fractional rates are laid out by number.
        iteration = int(at) if at == int(at) else done["number"]
        for name, value in values.items():
            self.logger.report_scalar(f"final: {name}", "load", value=value, iteration=iteration)
        rows: list[list[Any]] = [["name", "value"], ["client", client_words(done)]]
        rows += [[name, value] for name, value in values.items()]
        self.table("final values", done["key"], rows)
        table = done["percentiles"]
        self.table("percentiles", done["key"], [table["columns"], *table["rows"]])

    def table(self, title: str, series: str, rows: list[list[Any]]) -> None:
        self.logger.report_table(title, series, iteration=0, table_plot=rows)

    def answer(self, answer: Fields) -> None:
        columns, rows = answer_table(answer)
        self.table("SLA answer", "answer", [columns, *rows])

    def artifact(self, artifact: Fields) -> None:
        self.task.upload_artifact(artifact["name"], artifact_object=Path(artifact["path"]))

    def end(self, end: Fields) -> list[str]:
        offline = self.task.is_offline()
        folder = self.task.get_offline_mode_folder() if offline else ""
        if end["status"] == "failed":
            self.task.mark_failed(status_message=f"exit code {end['exit']}")
        elif end["status"] == "interrupted":
            self.task.mark_stopped()
        self.task.close()
        return [f"the session is in {folder}.zip"] if offline else []


KINDS: dict[str, Callable[[Fields], Tracker]] = {
    "wandb": Wandb,
    "swanlab": Swanlab,
    "clearml": Clearml,
}


def brief(error: BaseException) -> str:
    """What went wrong, on one line and not too long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST_WHY else text[:LONGEST_WHY] + "..."


def detach() -> IO[str]:
    """Leaves the terminal and its Ctrl-C to the program, and takes second place behind it.

    Gives the way to speak to the program: whatever a package prints goes to standard error.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(10)
    try:
        os.setsid()
    except OSError:
        pass  # it leads a group of its own already
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # A folder of that name in the working directory is not the package.
    sys.path[:] = [place for place in sys.path if place]
    return said


def exit_after(seconds: float) -> None:
    """Ends the process after so long, whatever it hangs in."""
    watchdog = threading.Timer(seconds, os._exit, args=(1,))
    watchdog.daemon = True
    watchdog.start()


def follow(tracker: Tracker, lines: IO[str], say: Callable[[Fields], None]) -> None:
    """Passes on what is told until the end of it."""
    end: Fields = {"status": "failed", "exit": 1}
    for line in lines:
        told: Fields = json.loads(line)
        kind = told.pop("told")
        if kind == "end":
            end = told
            break
        try:
            getattr(tracker, kind)(told)
        except Exception as error:
            say({"lost": brief(error)})
    else:
        exit_after(ENDING_S)
    try:
        say({"ended": tracker.end(end)})
    except Exception as error:
        say({"lost": brief(error)})
        say({"ended": []})


def main() -> None:
    said = detach()

    def say(word: Fields) -> None:
        try:
            said.write(json.dumps(word) + "\n")
            said.flush()
        except OSError:
            pass  # the program is gone: nobody listens

    opening: Fields = json.loads(sys.stdin.readline())
    begin: Fields = json.loads(sys.stdin.readline())
    try:
        tracker = KINDS[opening["tracker"]](opening)
        say({"ready": tracker.begin(begin)})
    except Refused as refused:
        say({"refused": refused.kind, "why": str(refused)})
        exit_after(EXITING_S)
        return
    except Exception as error:
        say({"refused": "other", "why": brief(error)})
        exit_after(EXITING_S)
        return
    follow(tracker, sys.stdin, say)
    exit_after(EXITING_S)


if __name__ == "__main__":
    main()
